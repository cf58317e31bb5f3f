"""Conventions that hold for every object in the database."""

from __future__ import annotations

import re

# Functions without a search_path of their own, and why that is safe.
WITHOUT_SEARCH_PATH = {
    "_declared_facts": "inlined into its callers, whose search_path is pinned",
    "_search_term": "inlined into its callers, whose search_path is pinned",
    "backfill_model_versions": "a procedure that commits cannot have one; it calls its two functions qualified",
    "jsonb_matches_schema": "its body is bound to what it calls when it is created",
}
# The runner's own tables carry a comment each, their columns one where the name does not say it all.
LEDGER = ["atlas_adoption", "atlas_deployments", "atlas_migrations"]


def names(conn, query: str, parameters: list | None = None) -> list[str]:
    return [row[0] for row in conn.execute(query, parameters).fetchall()]


def test_every_function_states_its_search_path(catalog):
    query = """
        select p.proname
        from pg_proc as p
        where p.pronamespace = 'atlas'::regnamespace
            and not exists (select from unnest(p.proconfig) as s where s = 'search_path=atlas, pg_temp')
        order by p.proname
    """
    assert names(catalog, query) == list(WITHOUT_SEARCH_PATH)


def test_a_function_bound_when_created_has_a_body_that_is_bound(catalog):
    query = "select p.prosqlbody is not null from pg_proc as p where p.proname = 'jsonb_matches_schema'"
    assert catalog.execute(query).fetchone() == (True,)


def test_an_inlined_function_names_nothing_that_a_search_path_could_lead_astray(catalog):
    query = "select p.provolatile, p.prosecdef, p.prosrc from pg_proc as p where p.proname = '_declared_facts'"
    volatility, definer, source = catalog.execute(query).fetchone()
    assert (volatility, definer) == ("i", False)
    assert re.findall(r"\w+(?=\s*\()", source) == ["coalesce"]
    assert not re.search(r"\b(from|join)\b", source)


def test_no_name_has_two_signatures(catalog):
    query = """
        select p.proname from pg_proc as p
        where p.pronamespace = 'atlas'::regnamespace group by p.proname having count(*) > 1
    """
    assert names(catalog, query) == []


def test_what_is_unsafe_in_parallel_workers_is_what_writes(catalog):
    query = """
        select p.proname from pg_proc as p
        where p.pronamespace = 'atlas'::regnamespace and (p.provolatile = 'v') <> (p.proparallel = 'u')
    """
    assert names(catalog, query) == []


# --- comments -------------------------------------------------------------------------------------------------------


def test_every_table_and_view_has_a_comment(catalog):
    query = """
        select c.relname from pg_class as c
        where c.relnamespace = 'atlas'::regnamespace and c.relkind in ('r', 'v', 'm', 'p')
            and obj_description(c.oid, 'pg_class') is null
    """
    assert names(catalog, query) == []


def test_every_column_of_a_table_has_a_comment(catalog):
    query = """
        select c.relname || '.' || a.attname
        from pg_attribute as a
        inner join pg_class as c on a.attrelid = c.oid
        where c.relnamespace = 'atlas'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0
            and not a.attisdropped and c.relname <> all(%s)
            and col_description(c.oid, a.attnum) is null
        order by 1
    """
    assert names(catalog, query, [LEDGER]) == []


def test_every_function_has_a_comment(catalog):
    query = """
        select p.proname from pg_proc as p
        where p.pronamespace = 'atlas'::regnamespace and obj_description(p.oid, 'pg_proc') is null order by 1
    """
    assert names(catalog, query) == []


def test_every_type_has_a_comment(catalog):
    query = """
        select t.typname
        from pg_type as t
        left join pg_class as c on t.typrelid = c.oid
        where t.typnamespace = 'atlas'::regnamespace and t.typelem = 0 and coalesce(c.relkind, 'c') = 'c'
            and obj_description(t.oid, 'pg_type') is null
    """
    assert names(catalog, query) == []


def test_a_comment_on_a_trigger_function_names_its_triggers(catalog):
    query = """
        select p.proname, t.tgname, obj_description(p.oid, 'pg_proc')
        from pg_trigger as t
        inner join pg_proc as p on t.tgfoid = p.oid
        where p.pronamespace = 'atlas'::regnamespace and not t.tgisinternal
    """
    unnamed = [
        (function, trigger)
        for function, trigger, comment in catalog.execute(query).fetchall()
        if trigger not in comment and "…_" + re.split(r"_[0-9]{2}_", trigger)[1] not in comment
    ]
    assert unnamed == []


# --- names ----------------------------------------------------------------------------------------------------------

CONSTRAINTS = """\
artifacts artifacts_id_name_key
artifacts artifacts_legacy_sealed
artifacts artifacts_metadata_bounded
artifacts artifacts_metadata_valid
artifacts artifacts_parent_fkey
artifacts artifacts_pkey
artifacts artifacts_row_complete
artifacts artifacts_superseded_by_fkey
artifacts_original artifacts_original_pkey
atlas_adoption atlas_adoption_pkey
atlas_deployments atlas_deployments_digest_is_hexadecimal
atlas_deployments atlas_deployments_pkey
atlas_migrations atlas_migrations_number_is_positive
atlas_migrations atlas_migrations_pkey
atlas_migrations atlas_migrations_sha256_is_hexadecimal
backfill_log backfill_log_answers_object
backfill_log backfill_log_outcome_known
backfill_log backfill_log_pkey
backfill_log backfill_log_place_positive
backfill_rules backfill_rules_any_key_for_whole_rows
backfill_rules backfill_rules_argument_complete
backfill_rules backfill_rules_argument_fits_field
backfill_rules backfill_rules_argument_is_object
backfill_rules backfill_rules_legacy_key_given
backfill_rules backfill_rules_name_is_free
backfill_rules backfill_rules_pkey
backfill_rules backfill_rules_source_known
backfill_rules backfill_rules_times_is_a_count
backfill_rules backfill_rules_transform_fills_field
backfill_rules backfill_rules_zone_known
model_evaluations model_evaluations_eval_dataset_fkey
model_evaluations model_evaluations_evaluated_at_finite
model_evaluations model_evaluations_metrics_bounded
model_evaluations model_evaluations_metrics_named
model_evaluations model_evaluations_once
model_evaluations model_evaluations_pkey
model_evaluations model_evaluations_version_fkey
model_events model_events_action_known
model_events model_events_gates_known
model_events model_events_pkey
model_metrics model_metrics_pkey
model_search model_search_artifact_key
model_search model_search_pkey
model_versions model_versions_artifact_fkey
model_versions model_versions_artifact_name_fkey
model_versions model_versions_base_model_fkey
model_versions model_versions_eval_dataset_fkey
model_versions model_versions_pkey
model_versions model_versions_promotion_state_known
model_versions model_versions_row_complete
promotion_gates promotion_gates_benchmark_wellformed
promotion_gates promotion_gates_comparator_known
promotion_gates promotion_gates_metric_wellformed
promotion_gates promotion_gates_model_name_wellformed
promotion_gates promotion_gates_once
promotion_gates promotion_gates_pkey
promotion_gates promotion_gates_threshold_finite
promotion_policies promotion_policies_default_complete
promotion_policies promotion_policies_model_name_wellformed
promotion_policies promotion_policies_once
promotion_policies promotion_policies_pkey
registered_models registered_models_last_version_counts
registered_models registered_models_pkey
""".splitlines()

INDEXES = [
    "artifacts_name_version_key",
    "artifacts_one_latest",
    "idx_artifacts_other_id",
    "idx_artifacts_parent",
    "idx_artifacts_superseded_by",
    "idx_backfill_log_chain",
    "idx_backfill_log_planned",
    "idx_backfill_log_queued",
    "idx_backfill_log_title",
    "idx_model_evaluations_eval_dataset",
    "idx_model_evaluations_latest",
    "idx_model_events_name",
    "idx_model_search_document",
    "idx_model_search_family",
    "idx_model_search_registered",
    "idx_model_search_trained",
    "idx_model_versions_base",
    "idx_model_versions_eval_dataset",
    "idx_model_versions_promotion",
    "idx_model_versions_trained_by",
    "model_versions_idempotency_key_once",
    "model_versions_one_promoted",
]


def test_every_constraint_has_a_name_that_was_given(catalog):
    # NOT NULL (contype n from PostgreSQL 18 on) and constraint triggers have lists of their own.
    query = """
        select c.relname || ' ' || k.conname
        from pg_constraint as k
        inner join pg_class as c on k.conrelid = c.oid
        where k.connamespace = 'atlas'::regnamespace and k.contype not in ('n', 't')
        order by c.relname collate "C", k.conname collate "C"
    """
    assert names(catalog, query) == CONSTRAINTS


def test_no_constraint_has_a_name_that_postgresql_made_up(catalog):
    query = "select k.conname from pg_constraint as k where k.connamespace = 'atlas'::regnamespace and k.contype <> 'n'"
    assert [name for name in names(catalog, query) if re.search(r"_(check|excl|key|fkey)\d+$|_check$", name)] == []


def test_every_index_has_a_name_that_was_given(catalog):
    query = """
        select i.relname
        from pg_index as x
        inner join pg_class as i on x.indexrelid = i.oid
        where i.relnamespace = 'atlas'::regnamespace
            and not exists (select from pg_constraint as k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))
        order by i.relname collate "C"
    """
    assert names(catalog, query) == INDEXES


def test_every_constraint_is_validated_and_every_index_valid(catalog):
    assert names(catalog, "select conname from pg_constraint where not convalidated") == []
    assert (
        names(catalog, "select indexrelid::regclass::text from pg_index where not indisvalid or not indisready") == []
    )


def test_every_foreign_key_has_an_index_that_serves_it(catalog):
    query = """
        select k.conname
        from pg_constraint as k
        where k.connamespace = 'atlas'::regnamespace and k.contype = 'f'
            and not exists (
                select from pg_index as x
                where x.indrelid = k.conrelid and x.indkey[0] = k.conkey[1]
            )
    """
    assert names(catalog, query) == []


# --- triggers -------------------------------------------------------------------------------------------------------

# always: guards that look at the row alone hold on a replica too. origin: what writes or looks elsewhere, since a
# subscriber's first copy brings finished rows, in any order of tables.
TRIGGERS = """\
always artifacts_05_refuse_unbounded_number
always artifacts_10_explain_metadata
always artifacts_20_guard_update
always artifacts_20_guard_update_of_latest
always artifacts_20_refuse_delete
always artifacts_20_refuse_truncate
always artifacts_original_20_refuse_rewriting
always artifacts_original_20_refuse_truncate
always backfill_log_20_refuse_truncate
always model_evaluations_20_refuse_rewriting
always model_evaluations_20_refuse_truncate
always model_events_20_refuse_change
always model_events_20_refuse_truncate
always model_versions_05_explain_insert
always model_versions_05_explain_update
always model_versions_20_guard_update
always model_versions_20_refuse_delete
always model_versions_20_refuse_truncate
always promotion_gates_20_refuse_truncate
always promotion_policies_20_refuse_truncate
always registered_models_20_refuse_truncate
origin artifacts_22_guard_removal
origin artifacts_30_place_version
origin artifacts_50_settle_versions
origin artifacts_52_settle_placements
origin artifacts_54_settle_removals
origin artifacts_60_check_parents
origin artifacts_62_check_legacy_parent
origin artifacts_70_require_version
origin artifacts_71_require_version_of_legacy
origin artifacts_72_verify_latest
origin artifacts_74_verify_succession
origin artifacts_80_sync_declared_facts
origin artifacts_85_keep_search
origin artifacts_90_record_artifact_changes
origin artifacts_90_record_registrations
origin model_evaluations_10_complete_evaluation
origin model_evaluations_22_refuse_lone_removal
origin model_evaluations_90_record_evaluations
origin model_events_10_refuse_insert
origin model_versions_10_derive_declared_facts
origin model_versions_22_refuse_lone_removal
origin model_versions_30_guard_declared_facts
origin model_versions_40_supersede_promoted
origin model_versions_60_verify_versions
origin model_versions_80_keep_search_delete
origin model_versions_80_keep_search_insert
origin model_versions_80_keep_search_update
origin model_versions_90_record_version_changes
origin promotion_gates_90_record_rules_changed
origin promotion_gates_90_record_rules_removed
origin promotion_gates_90_record_rules_set
origin promotion_policies_90_record_rules_changed
origin promotion_policies_90_record_rules_removed
origin promotion_policies_90_record_rules_set
origin registered_models_10_guard_start
origin registered_models_20_refuse_delete
origin registered_models_20_verify_counter
""".splitlines()


def test_every_trigger_fires_where_it_should(catalog):
    query = """
        select case t.tgenabled when 'A' then 'always' when 'O' then 'origin' else t.tgenabled::text end
            || ' ' || t.tgname
        from pg_trigger as t
        inner join pg_class as c on t.tgrelid = c.oid
        where c.relnamespace = 'atlas'::regnamespace and not t.tgisinternal
        order by 1
    """
    assert sorted(names(catalog, query)) == TRIGGERS


def test_a_trigger_is_named_after_its_table_its_place_and_what_it_does(catalog):
    query = """
        select c.relname, t.tgname
        from pg_trigger as t
        inner join pg_class as c on t.tgrelid = c.oid
        where c.relnamespace = 'atlas'::regnamespace and not t.tgisinternal
    """
    misnamed = [
        trigger
        for table, trigger in catalog.execute(query).fetchall()
        if not re.fullmatch(table + r"_[0-9]{2}_[a-z_]+", trigger)
    ]
    assert misnamed == []


def test_a_trigger_that_always_fires_reads_no_table(catalog):
    query = """
        select p.proname, p.prosrc
        from pg_trigger as t
        inner join pg_proc as p on t.tgfoid = p.oid
        where t.tgenabled = 'A' and p.pronamespace = 'atlas'::regnamespace
    """
    table = re.compile(r"\b(from|join|update|into)\s+(artifacts|model_versions|registered_models)\b")
    assert [name for name, source in catalog.execute(query).fetchall() if table.search(source)] == []
