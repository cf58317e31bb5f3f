-- A fact of a version is filled in once; another value later would be another version.
create or replace function _refuse_other_value(version model_versions, column_name text, standing text, given text)
returns void
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    if standing <> given then
        raise exception 'column % of version % is written once', column_name, version.artifact_id using
            errcode = 'MR005',
            detail = format('/%s: has another value already', column_name),
            hint = 'Leave it out, or register a new version.',
            schema = current_schema(), table = 'model_versions', column = column_name;
    end if;
end
$function$;

comment on function _refuse_other_value(model_versions, text, text, text) is
$$Raises MR005 when a fact that stands would be replaced by another value; returns when either is NULL or both are equal.$$;
