-- Both or neither: at COMMIT a model has its row in model_versions. (The reverse is a foreign key.)
create or replace function require_version()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
begin
    if
        not exists (select from model_versions as v where v.artifact_id = new.id)
        -- The transaction may have taken it away again.
        and exists (select from artifacts as a where a.id = new.id)
    then
        raise exception 'model % has no row in model_versions', new.id using
            errcode = 'MR004',
            detail = format('/id: %s stands in artifacts and not in model_versions', new.id),
            hint = 'Use register_model(), or insert both rows in one transaction.',
            schema = tg_table_schema, table = tg_table_name, constraint = tg_name;
    end if;
    return null;
end
$function$;

comment on function require_version() is
$$Trigger function of the deferred constraint triggers artifacts_70_require_version, for new models, and
artifacts_71_require_version_of_legacy, for legacy ones that are named or validated: MR004 at COMMIT.$$;
