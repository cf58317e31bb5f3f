-- One event for each version that an INSERT registered. Every registration pays for this, so the event is small: what the version was
-- then is what it is now, with the old values of later events laid over.
create or replace function record_registrations()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
begin
    insert into model_events (action, artifact_id, model_name, version_number, new)
    select
        'registered', n.id, n.name, n.version_number,
        jsonb_build_object('created_by', n.created_by, 'parent_version_id', n.parent_version_id)
    from new_rows as n
    where n.artifact_type = 'model';
    return null;
end
$function$;

comment on function record_registrations() is
$$Trigger function of artifacts_90_record_registrations: writes one 'registered' event for each new version.$$;
