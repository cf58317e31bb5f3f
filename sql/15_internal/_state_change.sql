-- Says why the next statement changes something, for the events that its triggers write; without arguments, that it is over.
create or replace function _state_change(reason text default null, gates text default null, evidence jsonb default null)
returns void
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
begin
    perform set_config(
        'atlas_models.change',
        case
            when num_nonnulls(reason, gates, evidence) = 0 then ''
            else jsonb_build_object('reason', reason, 'gates', gates, 'evidence', evidence)::text
        end,
        true
    );
end
$function$;

comment on function _state_change(text, text, jsonb) is
$$Sets what record_version_changes() and its like read, for the rest of the transaction or until it is called again.$$;
