-- Versions whose code nobody can find again.
create or replace view unlinked_models as
select
    v.artifact_id,
    v.model_name as name,
    a.version_number,
    a.title,
    v.promotion_state,
    v.is_external,
    v.code_repo_url,
    v.code_commit_sha
from model_versions as v
inner join artifacts as a on v.artifact_id = a.id
where v.code_repo_url is null or v.code_commit_sha is null;

comment on view unlinked_models is
$$One row for each version without a pin to its code: the repository or the commit is not known. link_code() fills it in.$$;
comment on column unlinked_models.artifact_id is $$Identity of the version.$$;
comment on column unlinked_models.name is $$The model's name; NULL for a legacy row that waits for its name.$$;
comment on column unlinked_models.version_number is $$Its number.$$;
comment on column unlinked_models.title is $$A heading for people.$$;
comment on column unlinked_models.promotion_state is $$candidate, promoted, rejected or superseded.$$;
comment on column unlinked_models.is_external is $$Whether it was taken over from elsewhere: code of others need not be known.$$;
comment on column unlinked_models.code_repo_url is $$The repository, where it is known.$$;
comment on column unlinked_models.code_commit_sha is $$The commit, where it is known.$$;
