"""Ten thousand versions in MLflow's own tables, of the same kind as those that search.py writes into the registry."""

from __future__ import annotations

import psycopg

_FAMILIES = ("resnet", "bert", "u-net", "vit", "gbm", "lstm")
_FRAMEWORKS = ("pytorch", "tensorflow", "xgboost", "jax", "monai", "caffe")

# Eight versions a name, twelve tags a version, as unevenly spread: low numbers are everywhere, most are rare.
_FILL = (
    """
    create temporary table facts as
    select
        n, 'name-' || lpad((n / 8)::text, 6, '0') as name, n %% 8 + 1 as version,
        floor(power(301, (n * 7919 %% 1000003) / 1000003.0))::integer as family,
        1640995200000 + n * 1000 as registered_at
    from generate_series(8, %(rows)s::bigint + 7) as n
    """,
    """
    insert into registered_models (workspace, name, creation_time, last_updated_time)
    select 'default', name, min(registered_at), max(registered_at) from facts group by name
    """,
    """
    insert into model_versions (
        workspace, name, version, creation_time, last_updated_time, description, current_stage, source, status,
        storage_location
    )
    select
        'default', name, version, registered_at, registered_at, 'Weekly extract ' || n, 'None',
        'https://git.example.org/risk', 'READY', 'https://git.example.org/risk'
    from facts
    """,
    """
    insert into model_version_tags (workspace, name, version, key, value)
    select 'default', f.name, f.version, t.key, t.value
    from facts as f
    cross join lateral (values
        (
            'model_family',
            (array['resnet', 'bert', 'u-net', 'vit', 'gbm', 'lstm'])[1 + f.family %% 6] || '-' || f.family
        ),
        (
            'framework',
            (array['pytorch', 'tensorflow', 'xgboost', 'jax', 'monai', 'caffe'])[1 + f.family %% 6]
        ),
        ('state', case when f.version = 8 then 'promoted' when f.n %% 10 = 0 then 'rejected' else 'candidate' end),
        ('task', (array['classification', 'regression', 'segmentation', 'detection'])[1 + f.family %% 4]),
        ('license', 'Apache-2.0'),
        ('parameter_count', (1000 + f.n)::text),
        ('training_data', 'warehouse://train/' || f.n %% 2000),
        ('evaluation_dataset', 'warehouse://holdout/' || f.n %% 500),
        ('evaluation_metrics', '{"auroc": 0.' || f.n || '}'),
        ('training_config', '{"seed": ' || f.n || '}'),
        ('code_commit_sha', md5(f.n::text)),
        ('trained_by', 'agent-' || f.n %% 400)
    ) as t (key, value)
    """,
)


def fill(url: str, rows: int) -> None:
    """Write so many versions into MLflow's tables, by one statement for each table, with fresh statistics."""
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in _FILL:
            conn.execute(statement, {"rows": rows})
        conn.execute("vacuum analyze registered_models, model_versions, model_version_tags")
        conn.execute("checkpoint")


def family(n: int) -> str:
    """The family of version n."""
    number = int(301 ** (n * 7919 % 1_000_003 / 1_000_003))
    return f"{_FAMILIES[number % 6]}-{number}"


def framework(n: int) -> str:
    """The framework of version n."""
    return _FRAMEWORKS[int(301 ** (n * 7919 % 1_000_003 / 1_000_003)) % 6]


def name(n: int) -> str:
    """The name of version n."""
    return f"name-{n // 8:06}"
