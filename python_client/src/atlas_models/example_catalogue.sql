-- An old catalogue of eight models, as one grows by hand: a table in the manner of SQLite, metadata as text, a key called
-- differently in every row, numbers as texts, facts that stand in the notes alone. It is what an adoption begins with.
--
-- Everything in it is made up for the example. The ids that begin like real ones are completed by invented digits, and say so; so do
-- the commits. Data sets other than SEA-AD do not exist. Every number is illustrative: nobody measured it, and each row says so.

create table artifacts (
    id text primary key,
    artifact_type text not null,
    title text,
    metadata text,
    version_number integer default 1,
    parent_version_id text,
    version_tag text,
    changelog text,
    is_latest integer default 1,
    lifecycle_state text default 'active',
    superseded_by text,
    origin_type text,
    origin_url text,
    created_by text,
    notes text,
    created_at text default to_char(now() at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS'),
    updated_at text
);

insert into artifacts
(id, artifact_type, title, metadata, version_number, parent_version_id, is_latest, origin_type, origin_url, created_by, created_at)
values
(
    'dataset-invented-seaad', 'dataset', 'SEA-AD, single-nucleus profiles (entry made up for the example)',
    '{"modality": "snRNA-seq"}', 1, null, 1, 'external', 'https://portal.brain-map.org/explore/seattle-alzheimers-disease',
    'curator', '2024-11-04 08:15:00'
),
(
    'dataset-invented-cohort-1', 'dataset', 'Example cohort', '{"rows": 4000, "note": "illustrative"}', 1, null, 0,
    'internal', null, 'curator', '2024-11-05 10:00:00'
),
(
    'dataset-invented-cohort-2', 'dataset', 'Example cohort', '{"rows": 4200, "note": "illustrative"}', 2,
    'dataset-invented-cohort-1', 1, 'internal', null, 'curator', '2025-01-20 10:00:00'
),
(
    'benchmark-invented-targets', 'benchmark', 'Example target list', null, 1, null, 1, null, null, 'curator',
    '2025-02-01 12:00:00'
);

insert into artifacts (
    id, artifact_type, title, metadata, version_number, version_tag, changelog, lifecycle_state, origin_type, created_by, notes, created_at
) values
(
    'model-29ce54ef-0000-4000-8000-invented0001', 'model', 'Neurodegeneration Risk Predictor',
    '{
        "architecture": "gradient boosting",
        "lib": "xgboost",
        "xgboost_version": "1.7.6",
        "n_params": "12,400",
        "train_data": "Example cohort, version 1",
        "test_set": "Example cohort, version 2, held out",
        "metrics": {"auroc": "0.81", "brier": "0.14"},
        "hyperparameters": {"max_depth": 4, "eta": 0.1},
        "license": "internal use",
        "numbers": "illustrative, not measured"
    }',
    1, null, null, 'production', 'internal', 'agent-modeller', 'The training script is somewhere on the old file server.',
    '2025-01-28 14:02:11'
),
(
    'model-56e6e50d-0000-4000-8000-invented0002', 'model', 'Amyloid Production-Clearance Model',
    '{
        "model_type": "biophysical ODE",
        "framework_name": "scipy",
        "n_parameters": "14-16",
        "trained_with": "Example cohort, version 1",
        "train_data": "Example cohort, version 1",
        "eval_data": "Example cohort, version 2",
        "performance": {"rmse": "0.12"},
        "git_commit": "v0.3",
        "numbers": "illustrative, not measured"
    }',
    1, null, null, 'production', 'internal', 'agent-biophysics',
    'Two of the rate constants are fixed in some of the runs, so ask how many count.', '2025-02-03 09:41:57'
),
(
    'model-14307274-0000-4000-8000-invented0003', 'model', 'Cell Type Classifier',
    '{
        "Model Type": "transformer",
        "pytorch_version": "2.1.0",
        "Parameters": "1.2M",
        "training-dataset": "SEA-AD",
        "eval_dataset": "SEA-AD, held-out donors",
        "eval_metrics": {"accuracy": "91.2%", "macro_f1": "88.4%"},
        "code_url": "https://github.com/example/cell-types/blob/0000000000000000000000000000000000000003/train.py",
        "training_start": "2025-02-10T06:00:00Z",
        "training_end": "2025-02-10 19:30:00",
        "gpu_allocation": "invented-allocation-3",
        "is_external": "no",
        "numbers": "illustrative, not measured"
    }',
    1, '2025-02', 'first release', 'deployed', null, 'agent-cells', null, '2025-02-11 07:12:45'
),
(
    'model-8479a365-0000-4000-8000-invented0004', 'model', 'AD Risk Prediction Model',
    '{
        "algorithm": "logistic regression",
        "sklearn_version": "1.3.2",
        "num_parameters": "24",
        "training_set": ["Example cohort, version 1", ""],
        "evaluation_data": "Example cohort, version 2",
        "eval_results": [{"name": "auroc", "value": "0.76"}, {"name": "sensitivity", "value": "71%"}],
        "repo": "https://github.com/example/risk",
        "commit": "0000000000000000000000000000000000000004",
        "licence": "Apache-2.0",
        "retrain_after": null,
        "numbers": "illustrative, not measured"
    }',
    1, null, null, 'in_service', 'in-house', 'agent-modeller', 'Trained some time in early 2025.', '2025-02-14 16:20:03'
),
(
    'model-45e16a37-0000-4000-8000-invented0005', 'model', 'Microglial Activation Model',
    '{
        "family": "graphical model",
        "library": "pgmpy",
        "params_count": "180",
        "train_set": "Example cohort, version 2",
        "evaluation_dataset": "Example cohort, version 2, held out",
        "test_metrics": {"log_loss": 0.43},
        "status": "in production",
        "source_code": "https://git.example.org/microglia/activation",
        "branch": "main",
        "numbers": "illustrative, not measured"
    }',
    1, null, null, 'active', 'internal', 'agent-microglia', 'Not the same model as the one with the cytokines.', '2025-02-20 11:05:30'
),
(
    'model-9ccc79de-0000-4000-8000-invented0006', 'model', 'Microglial-Amyloid-Cytokine Activation Model v1',
    '{
        "architecture": "Bayesian network",
        "framework": "pgmpy",
        "Framework": "pgmpy",
        "parameter_count": "1,040",
        "n_params": 1040,
        "training_data": "Example cohort, version 2",
        "test_data": "Example cohort, version 2, held out",
        "scores": {"log_loss": "0.39"},
        "code": {"entrypoint": "fit.py"},
        "numbers": "illustrative, not measured"
    }',
    1, 'v1', null, 'production', 'internal', 'agent-microglia', null, '2025-03-02 13:37:00'
),
(
    'model_ot_ad_zscore_rules_v1', 'model', 'OT-AD Target Ranking baseline',
    '{
        "family": "rules",
        "framework": "SQL",
        "params": 0,
        "training_data": "none: the rules were written by hand",
        "evaluation_dataset": "Example target list",
        "metrics": {"recall_at_50": "40%"},
        "task": "target ranking",
        "numbers": "illustrative, not measured"
    }',
    1, null, null, 'live', 'internal', 'curator', null, '2025-03-09 08:00:00'
),
(
    'model-biophys-microglia-001', 'model', 'Microglial Activation ODE (TREM2/APOE/IL-6)',
    '{
        "model_family": "biophysical ODE",
        "lib": "scipy",
        "n_params": 31,
        "parameters": "27",
        "training_data": "Example cohort, version 1",
        "evaluation_data": "Example cohort, version 2",
        "metrics": {"rmse": 0.2},
        "repository": "git@git.example.org:microglia/ode.git",
        "numbers": "illustrative, not measured"
    }',
    1, null, null, 'production', 'internal', 'agent-biophysics', 'Four parameters came in with IL-6.', '2025-03-15 17:45:22'
);
