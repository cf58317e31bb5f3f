-- atlas: superuser
-- Who may do what. Nothing here is executable by PUBLIC but the pure validation functions: whoever may write artifacts must be able
-- to execute what its CHECKs call. What atlas_owner creates is closed by default (migration 0001); what the superuser keeps is not.
revoke all on function explain_metadata() from public;

grant execute on function
    current_metadata_schema_version(),
    is_valid_metadata(text, integer, jsonb),
    metadata_errors(jsonb, integer),
    validate_metadata(jsonb),
    has_bounded_numbers(jsonb),
    is_model_name(text),
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
    register_artifact(text, text, jsonb, text, text, text, text, text)
to atlas_registrar;

grant execute on function
    promote_model(text, text, text),
    reject_model(text, text, text),
    demote_model(text, text, text),
    reopen_model(text, text, text)
to atlas_reviewer;

grant select on models, other_artifacts to atlas_reader;
