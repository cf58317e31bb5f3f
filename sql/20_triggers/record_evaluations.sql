-- One event for each evaluation that an INSERT brought.
create or replace function record_evaluations()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
begin
    insert into model_events (action, artifact_id, model_name, version_number, reason, new)
    select
        'evaluated', n.artifact_id, a.name, a.version_number, n.notes,
        to_jsonb(n) - '{artifact_id,notes,digest,recorded_by,recorded_at}'::text[]
    from new_rows as n
    inner join artifacts as a on n.artifact_id = a.id;
    return null;
end
$function$;

comment on function record_evaluations() is
$$Trigger function of model_evaluations_90_record_evaluations: writes one 'evaluated' event for each recorded evaluation.$$;
