"""The catalogue that is backfilled in the benchmark: old rows of several kinds, no two documents alike.

Of every ten rows three are versions of one model, five are in service, two are complete as they stand or come from
elsewhere, and every second ten have one that nobody but a person can settle.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from old_catalogues import SQLITE_TABLE

_TEXT = (
    '"description": "Run %1$s: trained on the weekly extract, early stopping on a validation fold, calibrated after.", '
    '"run": {"id": "forge-%1$s", "tags": ["weekly", "calibrated"], "region": "eu-central-1"}, "digest": "%2$s %3$s"'
)
# Keys of other names; numbers are numbers.
_RENAMED = (
    '{"model_type": "gradient boosting", "framework_name": "xgboost", "n_params": %1$s, '
    '"train_data": ["warehouse://cohorts/admissions/w%4$s", "warehouse://cohorts/labs"], '
    '"eval_data": "warehouse://cohorts/holdout/%4$s", '
    '"metrics": {"auroc": 0.%5$s, "auprc": 0.4%5$s, "brier": 0.1%5$s}, '
    '"hyperparameters": {"max_depth": 6, "eta": 0.05, "rounds": %5$s, "seed": %1$s}, ' + _TEXT + "}"
)
# Numbers as texts, percents, a framework that follows from another fact.
_AS_TEXTS = (
    '{"architecture": "vision transformer", "pytorch_version": "2.1.%4$s", "Parameters": "86.%4$s M params", '
    '"training_dataset": "warehouse://images/chest/w%4$s", "test_set": "warehouse://images/holdout/%4$s", '
    '"eval_metrics": {"accuracy": "9%4$s.%5$s%%", "auroc": "0.%5$s", "f1": "8%4$s.5%%"}, '
    '"hparams": {"optimizer": "adamw", "learning_rate": 0.0003, "epochs": 40, "seed": %1$s}, ' + _TEXT + "}"
)
# Where the code is, and when it ran.
_WITH_CODE = (
    '{"model_family": "U-Net", "framework": "monai", "param_count": "12,%5$s", "training_data": "scans-2024-w%4$s", '
    '"evaluation_dataset": "scans-2024-holdout", "performance": [{"name": "dice", "value": 0.%5$s}, {"name": "iou", '
    '"value": "7%4$s.25%%"}], "repo_url": "https://git.example.org/imaging/segment", '
    '"git_commit": "%2$s00000000", "training_start": "2024-05-01T10:00:00", "training_end": "2024-05-01T12:%6$s:00Z", '
    + _TEXT
    + "}"
)
_VALID = (
    '{"is_external": false, "model_family": "BERT", "framework": "transformers", "parameter_count": %1$s, '
    '"training_data": ["warehouse://notes/w%4$s", "warehouse://letters/2024"], "license": "Apache-2.0", '
    '"evaluation_dataset": "warehouse://notes/holdout/%4$s", "evaluation_metrics": {"f1": 0.%5$s, "recall": 0.8%5$s}, '
    '"training_config": {"optimizer": "adamw", "learning_rate": 3e-5, "epochs": 3, "seed": %1$s}, "extra": {'
    + _TEXT
    + "}}"
)
_EXTERNAL = (
    '{"family": "vision transformer", "library_name": "pytorch", "params": "86,567,%5$s", '
    '"external_url": "https://huggingface.co/google/vit-base-patch16-%1$s", "hf_revision": "%2$s", '
    '"license": "apache-2.0", "pipeline_tag": "image-classification", ' + _TEXT + "}"
)
_OPEN = _RENAMED.replace('"n_params": %1$s', '"n_params": "14-%1$s"')

_FILL = """
    insert into artifacts (
        id, artifact_type, title, metadata, version_number, parent_version_id, is_latest, lifecycle_state, origin_type,
        created_by, created_at
    )
    select
        'model-' || md5(n::text),
        'model',
        'Readmission risk ' || n / 10 || case when n % 10 > 2 then ', cohort ' || n % 10 else '' end,
        format(
            case n % 10
                when 3 then {as_texts} when 4 then {as_texts}
                when 5 then {with_code} when 6 then {with_code}
                when 7 then {valid}
                when 8 then {external}
                when 9 then case n / 10 % 2 when 0 then {renamed} else {open} end
                else {renamed}
            end,
            n + 1, md5(n::text), md5(n::text || 'digest'), n % 8 + 1, 100 + n % 899, to_char(n % 60, 'FM00')
        ),
        case when n % 10 < 3 then n % 10 + 1 else 1 end,
        case when n % 10 in (1, 2) then 'model-' || md5((n - 1)::text) end,
        case when n % 10 < 2 then 0 else 1 end,
        case when n % 10 between 2 and 6 then 'production' else 'active' end,
        case when n % 10 = 8 then 'huggingface' end,
        'agent-' || n % 13,
        to_char(timestamp '2020-01-01' + n * interval '1 minute', 'YYYY-MM-DD HH24:MI:SS')
    from generate_series(0, {rows} - 1) as n
"""


def lay_down(conn: psycopg.Connection, schema: str, rows: int) -> None:
    """Make an old table of so many rows in a new schema."""
    named = {
        "as_texts": _AS_TEXTS,
        "with_code": _WITH_CODE,
        "valid": _VALID,
        "external": _EXTERNAL,
        "renamed": _RENAMED,
        "open": _OPEN,
        "rows": rows,
    }
    fill = sql.SQL(_FILL).format(**{name: sql.Literal(value) for name, value in named.items()})
    conn.execute(f"create schema {schema}; set search_path = {schema}; {SQLITE_TABLE}")
    conn.execute(fill)
    conn.execute("vacuum analyze artifacts")
