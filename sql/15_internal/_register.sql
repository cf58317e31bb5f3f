-- Writes a set of registrations: every model comes into the registry through here, one or five thousand at a time.
create or replace function _register(registrations model_registration[])
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
    where is_model_name(m.name)
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
            -- The same instant written in another time zone is the same payload.
            case when m.idempotency_key is not null then
                sha256(convert_to((
                    to_jsonb(m) - '{ordinality,idempotency_key,training_started_at,training_completed_at}'::text[]
                    || jsonb_build_object(
                        'training_started_at', extract(epoch from m.training_started_at),
                        'training_completed_at', extract(epoch from m.training_completed_at)
                    )
                )::text, 'UTF8'))
            end as digest
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

    -- Numbers and flags are settled for the whole set, so place_version() need not look for each row. Whoever says so without having
    -- done so is refused by the unique indexes, settle_versions() and verify_latest().
    perform set_config('atlas_models.versions_are_placed', 'yes', true);
    update artifacts as a
    set is_latest = false
    where a.is_latest and a.name in (
        select m.name
        from unnest(registrations) with ordinality as m
        where v_latest[m.ordinality::integer]
    );

    insert into artifacts (
        id, artifact_type, name, title, metadata, version_number, is_latest, parent_version_id, version_tag, changelog,
        lifecycle_state, origin_type, origin_url, created_by
    )
    select
        v_ids[m.ordinality::integer], 'model', m.name, m.title, m.metadata, v_numbers[m.ordinality::integer],
        v_latest[m.ordinality::integer], m.parent_version_id, m.version_tag, m.changelog, m.lifecycle_state, m.origin_type,
        m.origin_url, coalesce(m.created_by, session_user)
    from unnest(registrations) with ordinality as m
    where v_numbers[m.ordinality::integer] is not null;

    perform set_config('atlas_models.versions_are_placed', '', true);

    insert into model_versions (
        artifact_id, is_external, external_source_url, external_source_version, base_model_id, code_repo_url,
        code_commit_sha, code_entrypoint, training_started_at, training_completed_at, trained_by, gpu_allocation_id,
        training_params_json, eval_metrics_json, eval_dataset_artifact_id, benchmark_id, promotion_notes,
        idempotency_key, idempotency_digest
    )
    select
        v_ids[m.ordinality::integer], coalesce(m.is_external, false), m.external_source_url, m.external_source_version,
        m.base_model_id, m.code_repo_url, m.code_commit_sha, m.code_entrypoint, m.training_started_at,
        m.training_completed_at, m.trained_by, m.gpu_allocation_id, m.training_params_json, m.eval_metrics_json,
        m.eval_dataset_artifact_id, m.benchmark_id, m.promotion_notes, m.idempotency_key, v_digests[m.ordinality::integer]
    from unnest(registrations) with ordinality as m
    where v_numbers[m.ordinality::integer] is not null;

    return query
    select p.id, coalesce(p.number, a.version_number), p.number is not null
    from unnest(v_ids, v_numbers) with ordinality as p (id, number, place)
    left join artifacts as a on p.number is null and p.id = a.id
    order by p.place;
end
$function$;

comment on function _register(model_registration[]) is
$$Writes artifacts and model_versions for every element, in the caller's transaction; one row out for each, in their order.
created is false where an idempotency key was recognised. MR003 when it was used with other arguments.$$;
