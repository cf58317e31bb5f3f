-- A version row and its evaluations go with their artifact, never by themselves. A cascade comes here when the artifact is gone already.
create or replace function refuse_lone_removal()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
begin
    if exists (select from artifacts as a where a.id = old.artifact_id) then
        raise exception 'what is known of version % goes with its artifact only', old.artifact_id using
            errcode = 'MR008',
            detail = format('DELETE on %I.%I would take away the provenance of a version that stands', tg_table_schema, tg_table_name),
            hint = 'delete_model() removes a version that was never promoted, as a whole.',
            schema = tg_table_schema, table = tg_table_name;
    end if;
    return old;
end
$function$;

comment on function refuse_lone_removal() is
$$Trigger function of model_versions_22_refuse_lone_removal and model_evaluations_22_refuse_lone_removal: MR008 while the artifact stands.$$;
