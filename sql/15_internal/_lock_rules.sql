-- Puts changes of gates and policies in line with promotions: those of one name behind its row, those for every model behind a row
-- that every promotion shares.
create or replace function _lock_rules(model_name text)
returns void
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
begin
    if model_name is null then
        perform from promotion_policies as p where p.model_name is null for update;
    else
        -- A name without a version has nothing to promote.
        perform from registered_models as r where r.name = _lock_rules.model_name for no key update;
    end if;
end
$function$;

comment on function _lock_rules(text) is
$$Locks what a promotion of the model, or of every model for NULL, locks too, until the end of the transaction.$$;
