-- Rules of the backfill, as data: which legacy key or column says what about which field, and how its value is read.
-- Why: catalogues differ in their words; a user adds a rule with an INSERT and changes no code.
-- Locks: none that anybody could be waiting for; only a new table. Ways down: docs/migrations.md.

set local role atlas_owner;

create table backfill_rules (
    name text not null,
    position integer not null default 1000,
    source text not null default 'metadata',
    legacy_key text not null,
    field text not null,
    transform text not null,
    argument jsonb,
    enabled boolean not null default true,
    note text,
    constraint backfill_rules_pkey primary key (name),
    -- The names under which changes are recorded that no rule made.
    constraint backfill_rules_name_is_free check (
        btrim(name) <> '' and char_length(name) <= 256 and name not in ('absent', 'answer', 'duplicate', 'rounded', 'unlisted', 'unread')
    ),
    constraint backfill_rules_source_known check (source in ('metadata', 'column')),
    constraint backfill_rules_legacy_key_given check (btrim(legacy_key) <> '' and char_length(legacy_key) <= 256),
    constraint backfill_rules_any_key_for_whole_rows check (
        (legacy_key = '*') = (transform in ('keep', 'internal_by_default'))
    ),
    constraint backfill_rules_transform_fills_field check (
        case transform
            when 'text'
                then field in (
                        'model_family', 'framework', 'task', 'license', 'description', 'benchmark_id', 'base_model_id',
                        'external_source_version', 'code_entrypoint', 'trained_by', 'gpu_allocation_id',
                        'training_data', 'evaluation_dataset'
                    )
            when 'texts' then field in ('training_data', 'evaluation_dataset')
            when 'boolean' then field = 'is_external'
            when 'count' then field = 'parameter_count'
            when 'metrics' then field = 'evaluation_metrics'
            when 'metric' then field = 'evaluation_metrics'
            when 'object' then field = 'training_config'
            when 'url' then field = 'external_source_url'
            when 'code_link' then field = 'code_repo_url'
            when 'commit' then field = 'code_commit_sha'
            when 'timestamp' then field in ('training_started_at', 'training_completed_at')
            when 'keep' then field = 'extra' and source = 'metadata'
            when 'internal_by_default' then field = 'is_external'
            when 'map' then true
            when 'contains' then true
            when 'implies' then true
            else false
        end
        and (
            transform not in ('map', 'contains', 'implies')
            or field in (
                'is_external', 'promoted_by', 'model_family', 'framework', 'task', 'license', 'description', 'benchmark_id',
                'base_model_id', 'external_source_version', 'code_entrypoint', 'trained_by', 'gpu_allocation_id',
                'training_data', 'evaluation_dataset'
            )
        )
    ),
    constraint backfill_rules_argument_is_object check (jsonb_typeof(argument) = 'object'),
    constraint backfill_rules_argument_complete check (
        case transform
            when 'map' then argument @? '$.values.*'
            when 'contains' then argument @? '$.values.*'
            when 'implies' then argument ? 'value'
            when 'metric' then btrim(argument ->> 'name') <> ''
            else true
        end is true
    ),
    constraint backfill_rules_argument_fits_field check (
        argument is null
        or transform not in ('map', 'contains', 'implies')
        or case
            when field in ('is_external', 'promoted_by')
                then not (
                        argument @? '$.values.* ? (@.type() != "boolean")'
                        or argument @? '$.value ? (@.type() != "boolean")'
                    )
            else not (
                    argument @? '$.values.* ? (@.type() != "string" || @ == "")'
                    or argument @? '$.value ? (@.type() != "string" || @ == "")'
                )
        end
    ),
    constraint backfill_rules_zone_known check (
        coalesce(argument ->> 'zone', 'UTC') ~ '^(UTC|[+-](0[0-9]|1[0-4]):[0-5][0-9])$'
    ),
    constraint backfill_rules_times_is_a_count check (
        argument -> 'times' is null or argument @? '$.times ? (@.type() == "number" && @ >= 1 && @ == @.floor())'
    )
);

comment on table backfill_rules is
$$How the backfill reads legacy metadata: one row a rule, all of them applied to every row, in the order of position and
name. Extended by INSERT; docs/backfill_rules.md lists the transforms and what their argument may hold.$$;
comment on column backfill_rules.name is $$What a recorded change calls the rule.$$;
comment on column backfill_rules.position is $$Where two rules of one key both can read a value, the lower position comes first.$$;
comment on column backfill_rules.source is $$'metadata': a key of the legacy document; 'column': another column of the legacy table.$$;
comment on column backfill_rules.legacy_key is $$The key or column. A key matches in any case, with spaces and hyphens for underscores; a.b reaches into the object a; * is for the rules of whole rows.$$;
comment on column backfill_rules.field is $$What the value is about: a field of the metadata schema, a provenance column, promoted_by (was it in service), or extra.$$;
comment on column backfill_rules.transform is $$How the value is read.$$;
comment on column backfill_rules.argument is $$What the transform needs to know, an object; with "ask": true the value is only offered to the person who is asked, with "only_if_missing": true it counts only where nothing else does.$$;
comment on column backfill_rules.enabled is $$Whether the rule is applied.$$;
comment on column backfill_rules.note is $$For people.$$;

-- The fields under their own names, in any case, in whatever type they were written.
insert into backfill_rules (name, position, source, legacy_key, field, transform, argument, note)
select
    g.field as name,
    g.position + k.place as position,
    g.source,
    k.legacy_key,
    g.field,
    g.transform,
    g.argument::jsonb as argument,
    g.note
from (
    values
    (
        100, 'metadata', 'is_external', 'boolean', null, null,
        array['is_external']
    ),
    (
        110, 'metadata', 'model_family', 'text', null, null,
        array['model_family']
    ),
    (
        120, 'metadata', 'framework', 'text', null, null,
        array['framework']
    ),
    (
        130, 'metadata', 'parameter_count', 'count', null, null,
        array['parameter_count']
    ),
    (
        140, 'metadata', 'training_data', 'texts', null, null,
        array['training_data']
    ),
    (
        150, 'metadata', 'evaluation_dataset', 'texts', null, null,
        array['evaluation_dataset']
    ),
    (
        160, 'metadata', 'evaluation_metrics', 'metrics', null, null,
        array['evaluation_metrics']
    ),
    (
        170, 'metadata', 'external_source_url', 'url', null, null,
        array['external_source_url']
    ),
    (
        180, 'metadata', 'external_source_version', 'text', '{"integers": true}', null,
        array['external_source_version']
    ),
    (
        190, 'metadata', 'benchmark_id', 'text', null, null,
        array['benchmark_id']
    ),
    (
        200, 'metadata', 'base_model_id', 'text', null, null,
        array['base_model_id']
    ),
    (
        210, 'metadata', 'training_config', 'object', null, null,
        array['training_config']
    ),
    (
        220, 'metadata', 'task', 'text', null, null,
        array['task']
    ),
    (
        230, 'metadata', 'license', 'text', null, null,
        array['license']
    ),
    (
        240, 'metadata', 'description', 'text', null, null,
        array['description']
    ),
    (
        250, 'metadata', 'code_repo_url', 'code_link', null, null,
        array['code_repo_url']
    ),
    (
        260, 'metadata', 'code_commit_sha', 'commit', null, null,
        array['code_commit_sha']
    ),
    (
        270, 'metadata', 'code_entrypoint', 'text', null, null,
        array['code_entrypoint']
    ),
    (
        280, 'metadata', 'training_started_at', 'timestamp', '{"zone": "UTC"}', 'a date-time without an offset is of this zone',
        array['training_started_at']
    ),
    (
        290, 'metadata', 'training_completed_at', 'timestamp', '{"zone": "UTC"}', 'a date-time without an offset is of this zone',
        array['training_completed_at']
    ),
    (
        300, 'metadata', 'trained_by', 'text', null, null,
        array['trained_by']
    ),
    (
        310, 'metadata', 'gpu_allocation_id', 'text', '{"integers": true}', null,
        array['gpu_allocation_id']
    )
) as g (position, source, field, transform, argument, note, legacy_keys)
cross join unnest(g.legacy_keys) with ordinality as k (legacy_key, place);

-- Other names of the same fact.
insert into backfill_rules (name, position, source, legacy_key, field, transform, argument, note)
select
    k.legacy_key || ' is ' || g.field as name,
    g.position + k.place as position,
    g.source,
    k.legacy_key,
    g.field,
    g.transform,
    g.argument::jsonb as argument,
    g.note
from (
    values
    (
        500, 'metadata', 'model_family', 'text', null, null,
        array['family', 'architecture', 'model_architecture', 'arch', 'model_type', 'algorithm']
    ),
    (
        550, 'metadata', 'framework', 'text', null, null,
        array['framework_name', 'ml_framework', 'lib', 'library', 'library_name']
    ),
    (
        600, 'metadata', 'parameter_count', 'count', null, null,
        array[
            'parameters', 'params', 'param_count', 'params_count', 'parameters_count', 'n_params', 'n_parameters',
            'nparams', 'num_params', 'num_parameters', 'number_of_parameters', 'total_params', 'total_parameters'
        ]
    ),
    (
        650, 'metadata', 'parameter_count', 'count', '{"times": 1000000}', 'the key counts millions',
        array['params_m', 'params_(m)', 'parameters_(m)', 'params_millions', 'parameters_millions']
    ),
    (
        700, 'metadata', 'training_data', 'texts', null, null,
        array[
            'train_data', 'train_dataset', 'train_datasets', 'train_set', 'training_dataset', 'training_datasets',
            'training_set'
        ]
    ),
    (
        750, 'metadata', 'evaluation_dataset', 'texts', null, null,
        array[
            'eval_data', 'eval_dataset', 'eval_set', 'evaluation_data', 'evaluation_datasets', 'evaluation_set',
            'test_data', 'test_dataset', 'test_datasets', 'test_set'
        ]
    ),
    (
        800, 'metadata', 'evaluation_metrics', 'metrics', null, null,
        array[
            'metrics', 'eval_metrics', 'test_metrics', 'performance', 'performance_metrics', 'scores', 'eval_results',
            'evaluation_results'
        ]
    ),
    (
        850, 'metadata', 'training_config', 'object', null, null,
        array[
            'hyperparameters', 'hyper_parameters', 'hyperparams', 'hparams', 'train_config', 'training_configuration',
            'training_params', 'training_parameters', 'training_args', 'training_arguments'
        ]
    ),
    (
        900, 'metadata', 'task', 'text', null, null,
        array['task_type', 'pipeline_tag']
    ),
    (
        950, 'metadata', 'license', 'text', null, null,
        array['licence', 'license_name', 'licence_name']
    ),
    (
        1000, 'metadata', 'description', 'text', null, null,
        array['desc', 'model_description', 'summary']
    ),
    (
        1050, 'metadata', 'external_source_url', 'url', null, 'only of a model that is external',
        array['external_url', 'external_source', 'upstream_url']
    ),
    (
        1100, 'metadata', 'external_source_version', 'text', '{"integers": true}', 'only of a model that is external',
        array[
            'external_version', 'external_revision', 'upstream_version', 'upstream_revision', 'hf_revision',
            'huggingface_revision'
        ]
    )
) as g (position, source, field, transform, argument, note, legacy_keys)
cross join unnest(g.legacy_keys) with ordinality as k (legacy_key, place);

-- Metrics at the top level, whose names say that they are the evaluation's.
insert into backfill_rules (name, position, source, legacy_key, field, transform, argument, note)
select
    k.legacy_key || ' is a metric of ' || g.field as name,
    g.position + k.place as position,
    g.source,
    k.legacy_key,
    g.field,
    g.transform,
    g.argument::jsonb as argument,
    g.note
from (
    values
    (
        1500, 'metadata', 'evaluation_metrics', 'metric', '{"name": "eval_accuracy"}', null,
        array['eval_accuracy']
    ),
    (
        1501, 'metadata', 'evaluation_metrics', 'metric', '{"name": "eval_auc"}', null,
        array['eval_auc']
    ),
    (
        1502, 'metadata', 'evaluation_metrics', 'metric', '{"name": "eval_f1"}', null,
        array['eval_f1']
    ),
    (
        1503, 'metadata', 'evaluation_metrics', 'metric', '{"name": "eval_loss"}', null,
        array['eval_loss']
    ),
    (
        1504, 'metadata', 'evaluation_metrics', 'metric', '{"name": "test_accuracy"}', null,
        array['test_accuracy']
    ),
    (
        1505, 'metadata', 'evaluation_metrics', 'metric', '{"name": "test_auc"}', null,
        array['test_auc']
    ),
    (
        1506, 'metadata', 'evaluation_metrics', 'metric', '{"name": "test_auroc"}', null,
        array['test_auroc']
    ),
    (
        1507, 'metadata', 'evaluation_metrics', 'metric', '{"name": "test_f1"}', null,
        array['test_f1']
    ),
    (
        1508, 'metadata', 'evaluation_metrics', 'metric', '{"name": "test_loss"}', null,
        array['test_loss']
    )
) as g (position, source, field, transform, argument, note, legacy_keys)
cross join unnest(g.legacy_keys) with ordinality as k (legacy_key, place);

-- Values that follow from a fact that is there; the fact itself is kept.
insert into backfill_rules (name, position, source, legacy_key, field, transform, argument, note)
select
    k.legacy_key || ' implies ' || g.field as name,
    g.position + k.place as position,
    g.source,
    k.legacy_key,
    g.field,
    g.transform,
    g.argument::jsonb as argument,
    g.note
from (
    values
    (
        2000, 'metadata', 'framework', 'implies', '{"value": "pytorch", "spellings": ["torch"]}', null,
        array['pytorch_version', 'torch_version']
    ),
    (
        2010, 'metadata', 'framework', 'implies', '{"value": "tensorflow", "spellings": ["tf"]}', null,
        array['tensorflow_version', 'tf_version']
    ),
    (
        2020, 'metadata', 'framework', 'implies', '{"value": "scikit-learn", "spellings": ["sklearn"]}', null,
        array['scikit_learn_version', 'sklearn_version']
    ),
    (
        2030, 'metadata', 'framework', 'implies', '{"value": "xgboost"}', null,
        array['xgboost_version']
    ),
    (
        2040, 'metadata', 'framework', 'implies', '{"value": "lightgbm", "spellings": ["lgbm"]}', null,
        array['lightgbm_version']
    ),
    (
        2050, 'metadata', 'framework', 'implies', '{"value": "catboost"}', null,
        array['catboost_version']
    ),
    (
        2060, 'metadata', 'framework', 'implies', '{"value": "jax"}', null,
        array['jax_version']
    ),
    (
        2070, 'metadata', 'is_external', 'implies', '{"value": true}', null,
        array['external_source_url', 'external_url', 'external_source', 'upstream_url']
    )
) as g (position, source, field, transform, argument, note, legacy_keys)
cross join unnest(g.legacy_keys) with ordinality as k (legacy_key, place);

-- Where the model comes from.
insert into backfill_rules (name, position, source, legacy_key, field, transform, argument, note)
select
    case g.source when 'column' then 'column ' else '' end || k.legacy_key || ' tells ' || g.field as name,
    g.position + k.place as position,
    g.source,
    k.legacy_key,
    g.field,
    g.transform,
    g.argument::jsonb as argument,
    g.note
from (
    values
    (
        3000, 'metadata', 'is_external', 'boolean', null, null,
        array['external']
    ),
    (
        3010, 'metadata', 'is_external', 'map',
        '{"values": {
            "true": false, "yes": false, "1": false, "false": true, "no": true, "0": true
        }}',
        'it says the opposite',
        array['internal', 'is_internal']
    ),
    (
        3020, 'column', 'is_external', 'map',
        '{"values": {
            "external": true, "third_party": true, "huggingface": true, "hugging_face": true, "hf": true,
            "huggingface_hub": true, "zenodo": true, "model_zoo": true, "pytorch_hub": true, "tensorflow_hub": true,
            "tfhub": true, "modelscope": true, "downloaded": true, "internal": false, "in_house": false,
            "inhouse": false, "own": false, "self_trained": false, "trained_in_house": false,
            "trained_internally": false
        }}',
        'a word that no rule knows is a question',
        array['origin_type']
    ),
    (
        3030, 'metadata', 'is_external', 'map',
        '{"values": {
            "external": true, "third_party": true, "huggingface": true, "hugging_face": true, "hf": true,
            "huggingface_hub": true, "zenodo": true, "model_zoo": true, "pytorch_hub": true, "tensorflow_hub": true,
            "tfhub": true, "modelscope": true, "downloaded": true, "internal": false, "in_house": false,
            "inhouse": false, "own": false, "self_trained": false, "trained_in_house": false,
            "trained_internally": false
        }}',
        'a word that no rule knows is a question',
        array['origin', 'origin_type', 'source_type']
    ),
    (
        3040, 'column', 'external_source_url', 'url', '{"only_if_missing": true}', 'only of a model that is external',
        array['origin_url']
    )
) as g (position, source, field, transform, argument, note, legacy_keys)
cross join unnest(g.legacy_keys) with ordinality as k (legacy_key, place);

-- Where its code is, and when and by which allocation it was trained.
insert into backfill_rules (name, position, source, legacy_key, field, transform, argument, note)
select
    k.legacy_key || ' is ' || g.field as name,
    g.position + k.place as position,
    g.source,
    k.legacy_key,
    g.field,
    g.transform,
    g.argument::jsonb as argument,
    g.note
from (
    values
    (
        4000, 'metadata', 'code_repo_url', 'code_link', null, null,
        array[
            'code_url', 'code_repo', 'code_repository', 'repo', 'repo_url', 'repository', 'repository_url', 'git_repo',
            'git_url', 'github', 'github_url', 'source_code', 'source_code_url', 'mlflow.source.git.repourl',
            'tags.mlflow.source.git.repourl'
        ]
    ),
    (
        4050, 'metadata', 'code_commit_sha', 'commit', null, null,
        array[
            'code_commit', 'commit', 'commit_sha', 'commit_hash', 'git_commit', 'git_sha', 'git_hash',
            'mlflow.source.git.commit', 'tags.mlflow.source.git.commit'
        ]
    ),
    (
        4100, 'metadata', 'code_entrypoint', 'text', null, null,
        array['entrypoint', 'entry_point', 'train_script', 'training_script']
    ),
    (
        4150, 'metadata', 'training_started_at', 'timestamp', '{"zone": "UTC"}', 'a date-time without an offset is of this zone',
        array['training_start', 'training_start_time', 'training_started', 'train_start']
    ),
    (
        4200, 'metadata', 'training_completed_at', 'timestamp', '{"zone": "UTC"}', 'a date-time without an offset is of this zone',
        array[
            'training_completed', 'training_end', 'training_end_time', 'training_finished', 'training_finished_at',
            'train_end'
        ]
    ),
    (
        4250, 'metadata', 'gpu_allocation_id', 'text', '{"integers": true}', null,
        array['gpu_allocation', 'gpu_alloc_id']
    )
) as g (position, source, field, transform, argument, note, legacy_keys)
cross join unnest(g.legacy_keys) with ordinality as k (legacy_key, place);

-- Words by which a row says whether the model was in service. Not among them: active, which is a default; released, published
-- and approved, which say that it could be used and not that it was.
insert into backfill_rules (name, position, source, legacy_key, field, transform, argument, note)
select
    case g.source when 'column' then 'column ' else '' end || k.legacy_key || ' says in service' as name,
    g.position + k.place as position,
    g.source,
    k.legacy_key,
    g.field,
    g.transform,
    g.argument::jsonb as argument,
    g.note
from (
    values
    (
        5000, 'column', 'promoted_by', 'map',
        '{"values": {
            "production": true, "prod": true, "in_production": true, "deployed": true, "in_service": true,
            "live": true, "serving": true, "archived": false, "retired": false, "deprecated": false,
            "decommissioned": false, "withdrawn": false, "obsolete": false, "draft": false, "experimental": false,
            "development": false, "in_development": false, "staging": false, "candidate": false, "rejected": false
        }}',
        null,
        array['lifecycle_state', 'status']
    ),
    (
        5010, 'metadata', 'promoted_by', 'map',
        '{"values": {
            "production": true, "prod": true, "in_production": true, "deployed": true, "in_service": true,
            "live": true, "serving": true, "archived": false, "retired": false, "deprecated": false,
            "decommissioned": false, "withdrawn": false, "obsolete": false, "draft": false, "experimental": false,
            "development": false, "in_development": false, "staging": false, "candidate": false, "rejected": false
        }}',
        null,
        array['lifecycle_state', 'lifecycle', 'status', 'stage', 'current_stage', 'deployment_status']
    )
) as g (position, source, field, transform, argument, note, legacy_keys)
cross join unnest(g.legacy_keys) with ordinality as k (legacy_key, place);

-- What may be the fact and may be another: offered to the person who is asked, never taken.
insert into backfill_rules (name, position, source, legacy_key, field, transform, argument, note)
select
    k.legacy_key || ' may be ' || g.field as name,
    g.position + k.place as position,
    g.source,
    k.legacy_key,
    g.field,
    g.transform,
    g.argument::jsonb as argument,
    g.note
from (
    values
    (
        6000, 'metadata', 'model_family', 'text', '{"ask": true}', 'a class is not always the family',
        array['model_class', 'architectures', 'estimator']
    ),
    (
        6050, 'metadata', 'parameter_count', 'count', '{"ask": true}', 'perhaps not all of them',
        array['trainable_params', 'trainable_parameters']
    ),
    (
        6100, 'metadata', 'training_data', 'texts', '{"ask": true}', 'to train or to evaluate',
        array['dataset', 'datasets', 'data', 'data_source', 'data_sources', 'trained_on']
    ),
    (
        6150, 'metadata', 'evaluation_dataset', 'texts', '{"ask": true}', 'to train, to validate or to evaluate',
        array[
            'dataset', 'datasets', 'validation_data', 'validation_dataset', 'validation_set', 'val_data', 'val_dataset', 'val_set',
            'evaluated_on'
        ]
    ),
    (
        6200, 'metadata', 'evaluation_metrics', 'metrics', '{"ask": true}', 'of the evaluation, or of the training',
        array['val_metrics', 'validation_metrics', 'results']
    ),
    (
        6250, 'metadata', 'evaluation_metrics', 'metric', '{"name": "accuracy", "ask": true}', 'of the evaluation, or of the training',
        array['accuracy']
    ),
    (
        6251, 'metadata', 'evaluation_metrics', 'metric', '{"name": "auc", "ask": true}', 'of the evaluation, or of the training',
        array['auc']
    ),
    (
        6252, 'metadata', 'evaluation_metrics', 'metric', '{"name": "auroc", "ask": true}', 'of the evaluation, or of the training',
        array['auroc']
    ),
    (
        6253, 'metadata', 'evaluation_metrics', 'metric', '{"name": "roc_auc", "ask": true}', 'of the evaluation, or of the training',
        array['roc_auc']
    ),
    (
        6254, 'metadata', 'evaluation_metrics', 'metric', '{"name": "f1", "ask": true}', 'of the evaluation, or of the training',
        array['f1']
    ),
    (
        6255, 'metadata', 'evaluation_metrics', 'metric', '{"name": "f1_score", "ask": true}', 'of the evaluation, or of the training',
        array['f1_score']
    ),
    (
        6256, 'metadata', 'evaluation_metrics', 'metric', '{"name": "r2", "ask": true}', 'of the evaluation, or of the training',
        array['r2']
    ),
    (
        6257, 'metadata', 'evaluation_metrics', 'metric', '{"name": "rmse", "ask": true}', 'of the evaluation, or of the training',
        array['rmse']
    ),
    (
        6258, 'metadata', 'evaluation_metrics', 'metric', '{"name": "mae", "ask": true}', 'of the evaluation, or of the training',
        array['mae']
    )
) as g (position, source, field, transform, argument, note, legacy_keys)
cross join unnest(g.legacy_keys) with ordinality as k (legacy_key, place);

-- What holds for every row, after all others.
insert into backfill_rules (name, position, source, legacy_key, field, transform, argument, note) values
(
    'facts without a field', 9000, 'metadata', '*', 'extra', 'keep', null, 'switched off, such a fact is a question'
),
(
    'internal unless said otherwise', 9010, 'metadata', '*', 'is_external', 'internal_by_default',
    '{
        "word_columns": ["origin_type"],
        "url_columns": ["origin_url"],
        "keys": [
            "source", "source_url", "source_type", "model_source", "origin", "origin_type", "origin_url", "provenance",
            "upstream", "vendor", "downloaded_from", "download_url", "model_url", "hub_url", "hf_model_id", "hf_repo",
            "hf_url", "hf_revision", "huggingface_id", "huggingface_repo", "huggingface_url", "huggingface_revision"
        ],
        "own_hosts": [],
        "own_schemes": ["file", "s3", "gs", "hdfs", "dbfs", "mlflow", "mlflow-artifacts", "runs", "models"]
    }',
    'an address at one of own_hosts does not speak of an origin elsewhere'
);
