-- Locks a model name for the rest of the transaction: whoever writes a version of the name comes here first.
create or replace function _lock_model_name(model_name text)
returns integer
language plpgsql volatile strict parallel unsafe security definer
set search_path from current
as $function$
declare
    v_last integer;
begin
    loop
        select r.last_version into v_last
        from registered_models as r
        where r.name = _lock_model_name.model_name
        for no key update;
        exit when found;
        -- What is inserted here needs no lock; what another session inserted meanwhile is found the next time round.
        insert into registered_models (name) values (_lock_model_name.model_name) on conflict (name) do nothing
        returning last_version into v_last;
        exit when found;
    end loop;
    return v_last;
end
$function$;

comment on function _lock_model_name(text) is
$$Locks the row of a model name, made when it is new, until the end of the transaction. Returns the last number allotted.$$;
