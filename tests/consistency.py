"""What must be true of a whole registry at any time: each rule as a query for the rows that break it."""

from __future__ import annotations

from typing import Any

import psycopg

SEARCH_ROWS_THAT_DIFFER = """
    select coalesce(s.artifact_id, t.artifact_id)
    from model_search as s
    full join _searchable_models as t on s.artifact_id = t.artifact_id
    where (s.registered_at, s.trained_at, s.family, s.metrics, s.document)
    is distinct from (t.registered_at, t.trained_at, t.family, t.metrics, t.document)
"""
SEARCH_METRICS_THAT_DIFFER = """
    (
        select e.key, e.value::double precision, s.artifact_id
        from model_search as s, jsonb_each(s.metrics) as e (key, value)
        except
        select m.metric, m.value, s.artifact_id
        from model_metrics as m
        inner join model_search as s on m.place = s.place
    )
    union all
    select 'too many', count(*), null from model_metrics
    having count(*) <> (select count(*) from model_search as s, jsonb_object_keys(s.metrics))
"""

# No version was deleted, and none backfilled: numbers have no holes then, and every version its event of registration.
RULES = {
    "a model has exactly one version row, of the same name": """
        select a.id, v.artifact_id
        from (select * from artifacts where artifact_type = 'model') as a
        full join model_versions as v on a.id = v.artifact_id and a.name = v.model_name
        where a.id is null or v.artifact_id is null
    """,
    "numbers of a name are 1..n, its counter is n, and n alone is the latest": """
        select *
        from (
            select
                name, array_agg(version_number order by version_number) as numbers,
                array_agg(version_number) filter (where is_latest) as latest
            from artifacts where artifact_type = 'model' group by name
        ) as a
        full join registered_models as r on a.name = r.name
        where a.numbers is distinct from array(select generate_series(1, r.last_version))
        or a.latest is distinct from array[r.last_version]
    """,
    "a version has exactly one event of its registration, in its name and number": """
        select a.id, a.name, a.version_number, e.events
        from artifacts as a
        full join (
            select artifact_id, model_name, version_number, count(*) as events
            from model_events where action = 'registered' group by artifact_id, model_name, version_number
        ) as e on (a.id, a.name, a.version_number) = (e.artifact_id, e.model_name, e.version_number)
        where (a.id is null or e.events is distinct from 1) and a.artifact_type is not distinct from 'model'
        or a.id is null
    """,
    "a version has exactly one search row, which says what its tables say": SEARCH_ROWS_THAT_DIFFER,
    "the metrics that are searched are those of the search rows": SEARCH_METRICS_THAT_DIFFER,
    "of a name that was ever promoted one version is in service, and the others were superseded by one of its own": """
        select v.model_name, array_agg(v.artifact_id || ': ' || v.promotion_state)
        from model_versions as v
        inner join artifacts as a on v.artifact_id = a.id
        left join artifacts as s on a.superseded_by = s.id
        where v.first_promoted_at is not null
        group by v.model_name
        having count(*) filter (where v.promotion_state = 'promoted') <> 1
        or bool_or((v.promotion_state = 'promoted') = (a.superseded_by is not null))
        or bool_or(v.promotion_state not in ('promoted', 'superseded'))
        or bool_or(s.name <> a.name)
    """,
    "a version's state is what its last event says": """
        select v.artifact_id, v.promotion_state, e.action
        from model_versions as v
        left join (
            select distinct on (artifact_id) artifact_id, action
            from model_events where action in ('promoted', 'superseded')
            order by artifact_id, event_id desc
        ) as e on v.artifact_id = e.artifact_id
        where v.promotion_state <> coalesce(e.action, 'candidate')
    """,
    "an evaluation has its event, and the last one of a version stands in its row": """
        select v.artifact_id
        from model_versions as v
        left join (
            select distinct on (artifact_id)
                artifact_id, metrics, count(*) over (partition by artifact_id) as evaluations
            from model_evaluations order by artifact_id, evaluated_at desc, evaluation_id desc
        ) as l on v.artifact_id = l.artifact_id
        where v.eval_metrics_json <> l.metrics
        or coalesce(l.evaluations, 0) <> (
            select count(*) from model_events as e where e.artifact_id = v.artifact_id and e.action = 'evaluated'
        )
    """,
}

# amcheck knows B-trees only; the search's index of words is a GIN.
WORDS = "select count(*) from model_search where document @@ %s::tsquery"


def broken_rules(conn: psycopg.Connection) -> dict[str, list[Any]]:
    """Looks the registry of a connection through, which has ``atlas`` on its search_path, and gives what is wrong."""
    broken = {rule: rows for rule, query in RULES.items() if (rows := conn.execute(query).fetchall())}
    for state in ("candidate", "promoted", "superseded"):
        found = [_count_by(conn, access, f"'=state:{state}'") for access in ("enable_seqscan", "enable_bitmapscan")]
        if found[0] != found[1]:
            broken[f"the index of words has every version that is {state}"] = found
    return broken


def _count_by(conn: psycopg.Connection, avoided: str, words: str) -> int:
    with conn.transaction():
        conn.execute(f"set local {avoided} = off")
        row = conn.execute(WORDS, [words]).fetchone()
    assert row is not None
    return int(row[0])
