-- Says where the code of a version is, once that is known.
create or replace function link_code(
    artifact_id text,
    code_repo_url text default null,
    code_commit_sha text default null,
    code_entrypoint text default null
)
returns boolean
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_version model_versions;
begin
    v_version := _lock_version(link_code.artifact_id);
    perform _refuse_other_value(v_version, 'code_repo_url', v_version.code_repo_url, link_code.code_repo_url);
    perform _refuse_other_value(v_version, 'code_commit_sha', v_version.code_commit_sha, link_code.code_commit_sha);
    perform _refuse_other_value(v_version, 'code_entrypoint', v_version.code_entrypoint, link_code.code_entrypoint);
    update model_versions as v
    set
        code_repo_url = coalesce(v.code_repo_url, link_code.code_repo_url),
        code_commit_sha = coalesce(v.code_commit_sha, link_code.code_commit_sha),
        code_entrypoint = coalesce(v.code_entrypoint, link_code.code_entrypoint)
    where
        v.artifact_id = v_version.artifact_id
        and (
            (v.code_repo_url is null and link_code.code_repo_url is not null)
            or (v.code_commit_sha is null and link_code.code_commit_sha is not null)
            or (v.code_entrypoint is null and link_code.code_entrypoint is not null)
        );
    return found;
end
$function$;

comment on function link_code(text, text, text, text) is
$$Pins a version to its code: repository, commit (40 or 64 lower-case hexadecimal digits), what was run. Fills in what is not known yet;
what is given as NULL stays. Returns whether anything was filled in: a repeated call returns false. P0002 for an unknown version, MR005
for another value than the one that stands, 23514 for a repository or commit that is not well formed.$$;
