-- What gates and policies want of a version and what they find. Numbers are compared as decimals, as they were written.
create or replace function _gate_results(artifact_id text)
returns table (rule text, metric text, wanted text, found text, passed boolean, pointer text)
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
-- The threshold is read as it was written, whatever the session's setting.
set extra_float_digits = 1
as $function$
#variable_conflict use_column
declare
    v_version model_versions;
    v_policy record;
begin
    select v.* into v_version from model_versions as v where v.artifact_id = _gate_results.artifact_id;
    -- As at the first deploy where somebody took a row away.
    select
        coalesce(named.require_code_pin, general.require_code_pin, true) as code_pin,
        coalesce(named.require_evaluation, general.require_evaluation, true) as evaluation,
        coalesce(named.require_second_person, general.require_second_person, false) as second_person
    into v_policy
    from (select) as one
    left join promotion_policies as general on general.model_name is null
    left join promotion_policies as named on named.model_name = v_version.model_name;

    if v_policy.code_pin and not v_version.is_external then
        return query
        select
            'code pin', null::text, 'repository and commit',
            case
                when num_nonnulls(v_version.code_repo_url, v_version.code_commit_sha) = 2 then v_version.code_commit_sha
                when v_version.code_commit_sha is not null then 'commit only'
                when v_version.code_repo_url is not null then 'repository only'
            end,
            num_nonnulls(v_version.code_repo_url, v_version.code_commit_sha) = 2,
            'code_commit_sha';
    end if;
    if v_policy.evaluation and not v_version.is_external then
        return query
        select 'evaluation', null::text, 'one recorded at least', nullif(count(*), 0)::text, count(*) > 0, 'evaluation'
        from model_evaluations as e
        where e.artifact_id = v_version.artifact_id;
    end if;
    if v_policy.second_person then
        return query
        select
            'second person', null::text, 'not who registered it', session_user::text,
            session_user <> v_version.registered_by, 'registered_by';
    end if;

    return query
    select
        'gate',
        g.metric,
        g.comparator || ' ' || g.threshold || coalesce(' on ' || g.benchmark_id, ''),
        e.value::text,
        coalesce(
            case g.comparator
                when '>=' then e.value >= t.threshold
                when '>' then e.value > t.threshold
                when '<=' then e.value <= t.threshold
                when '<' then e.value < t.threshold
                when '=' then e.value = t.threshold
                when '<>' then e.value <> t.threshold
            end,
            false
        ),
        replace(replace(g.metric, '~', '~0'), '/', '~1')
    from promotion_gates as g
    cross join lateral (select g.threshold::text::numeric as threshold) as t
    left join lateral (
        select (m.metrics -> g.metric)::numeric as value
        from model_evaluations as m
        where
            m.artifact_id = v_version.artifact_id
            and m.metrics ? g.metric
            and (g.benchmark_id is null or m.benchmark_id = g.benchmark_id)
        order by m.evaluated_at desc, m.evaluation_id desc
        limit 1
    ) as e on true
    where g.model_name is null or g.model_name = v_version.model_name
    order by g.metric, g.benchmark_id nulls first, g.gate_id;
end
$function$;

comment on function _gate_results(text) is
$$One row for each policy and gate that a version must meet; found is NULL where there is nothing to look at.$$;
