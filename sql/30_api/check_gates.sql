-- Shows what promote_model() would ask of a version, and what it would find, without acting.
create or replace function check_gates(artifact_id text)
returns table (rule text, metric text, wanted text, found text, passed boolean)
language plpgsql stable called on null input parallel safe security definer
set search_path from current
as $function$
#variable_conflict use_column
begin
    if not exists (select from model_versions as v where v.artifact_id = check_gates.artifact_id) then
        raise exception 'there is no model version %', check_gates.artifact_id using
            errcode = 'no_data_found',
            detail = format('/artifact_id: %L names no model version', check_gates.artifact_id),
            hint = 'select artifact_id, name, version_number from models lists the versions.';
    end if;
    return query
    select r.rule, r.metric, r.wanted, r.found, r.passed
    from _gate_results(check_gates.artifact_id) as r;
end
$function$;

comment on function check_gates(text) is
$$One row for each policy ('code pin', 'evaluation', 'second person') and gate that a promotion of the version must meet now, by who is logged in:
what is wanted, what was found (NULL: nothing), and whether it passes. Declared metrics are no evidence. P0002 for an unknown id.$$;
