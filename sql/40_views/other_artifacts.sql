-- What models point to: datasets, benchmarks and whatever else is registered and no model.
create or replace view other_artifacts as
select
    a.id as artifact_id,
    a.artifact_type,
    a.title,
    a.metadata,
    a.version_tag,
    a.origin_type,
    a.origin_url,
    a.created_by,
    a.created_at,
    a.updated_at
from artifacts as a
where a.artifact_type <> 'model';

comment on view other_artifacts is
$$One row for each artifact that is no model; artifact_id is what register_model() takes as eval_dataset_artifact_id. Models: see models.$$;

comment on column other_artifacts.artifact_id is $$Identity of the artifact.$$;
comment on column other_artifacts.artifact_type is $$What it is: dataset, benchmark …$$;
comment on column other_artifacts.title is $$A heading for people.$$;
comment on column other_artifacts.metadata is $$What is said of it; free-form.$$;
comment on column other_artifacts.version_tag is $$A label of the version that people use.$$;
comment on column other_artifacts.origin_type is $$How the artifact came to be; free text.$$;
comment on column other_artifacts.origin_url is $$Where the artifact came from; free text.$$;
comment on column other_artifacts.created_by is $$Who is said to have created it: a claim.$$;
comment on column other_artifacts.created_at is $$When the artifact was written.$$;
comment on column other_artifacts.updated_at is $$When the artifact was last changed.$$;
