-- Says what the CHECKs on model_versions would only answer with the whole row, which may hold what nobody should read in a log.
create or replace function explain_version()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
declare
    v_problem text;
    v_hint text;
begin
    if not is_repository_url(new.code_repo_url) then
        v_problem := '/code_repo_url: must be an http(s), ssh, git or user@host:path URL without credentials';
        v_hint := 'Give the address that git clone takes, for instance https://git.example.org/team/project.';
    elsif not is_commit_sha(new.code_commit_sha) then
        v_problem := '/code_commit_sha: must be 40 or 64 lower-case hexadecimal digits';
        v_hint := 'Give the whole hash, as git rev-parse HEAD prints it.';
    elsif new.training_completed_at < new.training_started_at then
        v_problem := '/training_completed_at: must not be before training_started_at';
        v_hint := 'Check both times and their time zones.';
    elsif
        not is_bounded_object(new.training_params_json)
        or not has_bounded_numbers(new.training_params_json)
    then
        v_problem := '/training_params_json: must be an object of at most 1048576 bytes of text, with finite numbers';
        v_hint := 'Give parameter name → value.';
    elsif
        not is_bounded_object(new.eval_metrics_json)
        or not has_bounded_numbers(new.eval_metrics_json)
    then
        v_problem := '/eval_metrics_json: must be an object of at most 1048576 bytes of text, with finite numbers';
        v_hint := 'Give metric name → value.';
    elsif char_length(new.idempotency_key) not between 1 and 256 then
        v_problem := '/idempotency_key: must be 1 to 256 characters';
        v_hint := 'A UUID made once for each intended registration does.';
    elsif (new.idempotency_key is null) <> (new.idempotency_digest is null) then
        v_problem := '/idempotency_key: comes with idempotency_digest, or neither does';
        v_hint := 'Leave both out: register_model() fills them.';
    end if;
    if v_problem is not null then
        raise exception 'invalid model version: %', ltrim(split_part(v_problem, ':', 1), '/') using
            errcode = 'check_violation', detail = v_problem, hint = v_hint,
            schema = tg_table_schema, table = tg_table_name,
            column = ltrim(split_part(v_problem, ':', 1), '/'), constraint = 'model_versions_row_complete';
    end if;
    return new;
end
$function$;

comment on function explain_version() is
$$Trigger function of model_versions_05_explain_insert and model_versions_05_explain_update: SQLSTATE 23514 with the column and what
model_versions_row_complete asks of it.$$;
