-- Writes a set of registrations, up to some thousands at a time. register_model() does the same for one, without sets.
create or replace function _register(registrations model_registration[], explain boolean)
returns table (artifact_id text, version_number integer, created boolean)
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
#variable_conflict use_column
declare
    -- These run parallel to registrations.
    v_ids text[];
    v_numbers integer[];  -- NULL where a repeated idempotency key stands for a version that is there already
    v_latest boolean[];
    v_digests bytea[];
    v_reused text;
begin
    perform _check_arguments(registrations);

    -- Lock order: names first, sorted. The new ones are inserted before any is locked, or two sessions could come to
    -- wait for each other.
    insert into registered_models (name)
    select distinct m.name
    from unnest(registrations) as m
    -- Whether it may be one is for the triggers and the CHECK to say; a longer one would not fit into the index.
    where char_length(m.name) <= 256
    order by m.name
    on conflict (name) do nothing;

    perform
    from registered_models as r
    where r.name in (select m.name from unnest(registrations) as m)
    order by r.name
    for no key update;

    with asked as (
        select
            m.ordinality as place,
            m.name,
            m.idempotency_key,
            coalesce(m.artifact_id, 'model-' || gen_random_uuid()) as id,
            case when m.idempotency_key is not null then _registration_digest(registrations[m.ordinality]) end as digest
        from unnest(registrations) with ordinality as m
    ),

    recognised as (
        select
            a.place,
            a.name,
            a.idempotency_key,
            a.digest,
            r.last_version,
            coalesce(
                v.artifact_id, case when a.idempotency_key is null then a.id else first_value(a.id) over same_key end
            ) as id,
            v.artifact_id is null and (a.idempotency_key is null or row_number() over same_key = 1) as is_new,
            a.idempotency_key is not null
            and a.digest is distinct from coalesce(v.idempotency_digest, first_value(a.digest) over same_key) as differs
        from asked as a
        left join registered_models as r on a.name = r.name
        left join model_versions as v on a.name = v.model_name and a.idempotency_key = v.idempotency_key
        window same_key as (partition by a.name, a.idempotency_key order by a.place)
    ),

    placed as (
        select
            r.*,
            count(*) filter (where r.is_new) over (partition by r.name order by r.place) as nth,
            count(*) filter (where r.is_new) over (partition by r.name) as new_ones
        from recognised as r
    )

    select
        array_agg(p.id order by p.place),
        array_agg(case when p.is_new then (coalesce(p.last_version, 0) + p.nth)::integer end order by p.place),
        array_agg(p.is_new and p.nth = p.new_ones order by p.place),
        array_agg(p.digest order by p.place),
        string_agg(
            format('/idempotency_key: %L of %s stands for %s, registered with other arguments', p.idempotency_key, p.name, p.id),
            e'\n' order by p.place
        ) filter (where p.differs)
    into v_ids, v_numbers, v_latest, v_digests, v_reused
    from placed as p;

    if v_reused is not null then
        raise exception 'an idempotency key was used for another registration' using
            errcode = 'MR003',
            detail = v_reused,
            hint = 'Repeat a call with exactly the same arguments, or give a new registration a new key.',
            schema = current_schema(), table = 'model_versions', column = 'idempotency_key';
    end if;

    -- Numbers, flags and derived columns are settled for the whole set, so that no row trigger need look elsewhere for its row. Whoever
    -- says so without having done so is refused by constraints and by settle_versions(), verify_versions() and verify_latest().
    perform set_config('atlas_models.rows_are_complete', case when explain then '' else 'yes' end, true);
    update artifacts as a
    set is_latest = false
    where a.is_latest and a.name in (
        select m.name
        from unnest(registrations) with ordinality as m
        where v_latest[m.ordinality::integer]
    );

    insert into artifacts (
        id, artifact_type, name, title, metadata, metadata_schema_version, version_number, is_latest, parent_version_id,
        version_tag, changelog, lifecycle_state, origin_type, origin_url, created_by
    )
    select
        v_ids[m.ordinality::integer], 'model', m.name, m.title, m.metadata, current_metadata_schema_version(),
        v_numbers[m.ordinality::integer], v_latest[m.ordinality::integer], m.parent_version_id,
        m.version_tag, m.changelog, m.lifecycle_state, m.origin_type, m.origin_url, coalesce(m.created_by, session_user)
    from unnest(registrations) with ordinality as m
    where v_numbers[m.ordinality::integer] is not null;

    insert into model_versions (
        artifact_id, model_name, is_external, external_source_url, external_source_version, base_model_id, code_repo_url,
        code_commit_sha, code_entrypoint, training_started_at, training_completed_at, trained_by, gpu_allocation_id,
        training_params_json, eval_metrics_json, eval_dataset_artifact_id, benchmark_id, promotion_notes,
        idempotency_key, idempotency_digest
    )
    select
        v_ids[m.ordinality::integer], m.name, coalesce(m.is_external, f.is_external),
        coalesce(m.external_source_url, f.external_source_url), coalesce(m.external_source_version, f.external_source_version),
        coalesce(m.base_model_id, f.base_model_id), m.code_repo_url, m.code_commit_sha, m.code_entrypoint, m.training_started_at,
        m.training_completed_at, m.trained_by, m.gpu_allocation_id, coalesce(m.training_params_json, f.training_params),
        coalesce(m.eval_metrics_json, f.eval_metrics), m.eval_dataset_artifact_id, coalesce(m.benchmark_id, f.benchmark_id),
        m.promotion_notes, m.idempotency_key, v_digests[m.ordinality::integer]
    from unnest(registrations) with ordinality as m
    cross join lateral _declared_facts(m.metadata) as f
    where v_numbers[m.ordinality::integer] is not null;
    perform set_config('atlas_models.rows_are_complete', '', true);

    return query
    select p.id, coalesce(p.number, a.version_number), p.number is not null
    from unnest(v_ids, v_numbers) with ordinality as p (id, number, place)
    left join artifacts as a on p.number is null and p.id = a.id
    order by p.place;
end
$function$;

comment on function _register(model_registration[], boolean) is
$$Writes artifacts and model_versions for every element, in the caller's transaction; one row out for each, in their order.
With explain, triggers look at every row and say what is wrong with it; without, which is for bounded numbers only, constraints and
statement-level triggers refuse, and say less.
created is false where an idempotency key was recognised. MR003 when it was used with other arguments.$$;
