-- Lets a promotion pass that meets its gates and policies, or whose reviewer overrides them.
create or replace function _require_gates(artifact_id text, override_reason text)
returns jsonb
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
declare
    v_results record;
begin
    -- A rule for every model that is being set is waited for: _lock_rules().
    perform from promotion_policies as p where p.model_name is null for share;
    select
        coalesce(jsonb_agg(to_jsonb(r) - 'pointer'), '[]') as evidence,
        count(*) filter (where not r.passed) as failed,
        bool_or(not r.passed and r.rule = 'second person') as lacks_second_person,
        string_agg(
            format('/%s: wanted %s, %s', r.pointer, r.wanted, coalesce('found ' || r.found, 'missing')), e'\n'
        ) filter (where not r.passed) as detail
    into v_results
    from _gate_results(_require_gates.artifact_id) as r;

    if v_results.failed = 0 then
        return jsonb_build_object('gates', 'passed', 'evidence', v_results.evidence);
    end if;
    if override_reason is null or v_results.lacks_second_person then
        raise exception 'version % does not meet what its promotion asks for (% failed)', artifact_id, v_results.failed using
            errcode = 'MR011',
            detail = v_results.detail,
            hint = case
                when v_results.lacks_second_person then 'Somebody else must promote it than who registered it; no reason overrides that.'
                else 'record_evaluation() and link_code() say what is missing; check_gates() shows all of it; '
                'override_reason promotes it all the same, and stands in the history.'
            end;
    end if;
    if not pg_has_role(session_user, 'atlas_reviewer', 'member') then
        raise exception 'only a reviewer overrides gates' using
            errcode = 'insufficient_privilege',
            detail = format('/override_reason: %s is no member of atlas_reviewer', session_user),
            hint = 'Let a reviewer promote it.';
    end if;
    return jsonb_build_object('gates', 'overridden', 'evidence', v_results.evidence);
end
$function$;

comment on function _require_gates(text, text) is
$$Returns the outcome (passed or overridden) and the evidence when the version meets its gates and policies, or a reviewer overrides them.
MR011, one DETAIL line for each that fails; the second person cannot be overridden.$$;
