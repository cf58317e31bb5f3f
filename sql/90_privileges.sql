-- atlas: superuser
-- Who may do what. Nothing here is executable by PUBLIC but the pure validation functions: whoever may write artifacts must be able
-- to execute what its CHECKs call. What atlas_owner creates is closed by default (migration 0001); what the superuser keeps is not.
revoke all on function explain_metadata(), guard_history() from public;
revoke all on function _normalise_documents(text[], jsonb[], text, jsonb[]) from public;
grant execute on function _normalise_documents(text[], jsonb[], text, jsonb[]) to atlas_owner;

-- The history: what its writers may say, and what they may not, such as who and when, which its defaults fill in.
grant select on model_events to atlas_owner;
grant insert (action, artifact_id, model_name, version_number, reason, old, new, gates, evidence) on model_events to atlas_owner;

grant execute on function
    current_metadata_schema_version(),
    is_valid_metadata(text, integer, jsonb),
    metadata_errors(jsonb, integer),
    validate_metadata(jsonb),
    has_bounded_numbers(jsonb),
    is_bounded_metadata(text, integer, jsonb),
    is_bounded_object(jsonb),
    is_complete_version(text, text, text, text, timestamptz, timestamptz, jsonb, jsonb, text, bytea),
    is_complete_artifact(text, integer, text, text, integer, boolean, text, text, timestamptz, timestamptz),
    is_model_name(text),
    needs_explanation(text, integer, jsonb),
    needs_facts(text, text, text),
    needs_place(text, text, integer, boolean, integer, text, text),
    rows_are_complete(),
    is_repository_url(text),
    is_commit_sha(text),
    json_matches_schema(json, json),
    jsonb_matches_schema(json, jsonb),
    jsonschema_is_valid(json),
    jsonschema_validation_errors(json, json)
to public;

grant execute on function
    register_model(
        text, jsonb, text, text, text, text, text, text, text, text, boolean, text, text, text, text, text,
        text, timestamptz, timestamptz, text, text, jsonb, jsonb, text, text, text, text, text
    ),
    register_models(jsonb),
    register_artifact(text, text, jsonb, text, text, text, text, text),
    link_code(text, text, text, text),
    record_training(text, timestamptz, timestamptz, text, text, jsonb),
    record_evaluation(text, text, text, jsonb, timestamptz, text, text)
to atlas_registrar;

grant execute on function
    promote_model(text, text, text, text),
    reject_model(text, text, text),
    demote_model(text, text, text),
    reopen_model(text, text, text),
    delete_model(text, text),
    resolve_backfill_review(text, jsonb, text),
    seal_legacy(),
    -- What the procedure calls: it commits, so it cannot run as its owner.
    _begin_backfill(),
    _backfill_batch(integer),
    -- What is left, without the right to read the table.
    _legacy_models()
to atlas_reviewer;
grant execute on procedure backfill_model_versions(integer, boolean) to atlas_reviewer;

grant execute on function
    set_promotion_gate(text, text, double precision, text, text, text),
    remove_promotion_gate(bigint, text),
    set_promotion_policy(text, boolean, boolean, boolean, text)
to atlas_steward;

grant execute on function
    migration_report(integer),
    model_card(text),
    check_gates(text),
    model_history(text),
    promoted_at(text, timestamptz),
    search_models(jsonb, text, boolean, integer, text),
    model_lineage(text, text, integer),
    resolve_artifact(text),
    suggest_names(text, integer)
to atlas_reader;

grant select on models, other_artifacts, backfill_reviews, unlinked_models, gates, policies, evaluations to atlas_reader;
