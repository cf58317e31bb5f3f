"""The floor: the rows that a registration writes, written by plain statements into tables that check nothing."""

from __future__ import annotations

import json
import uuid
from typing import Any

import psycopg
from psycopg import sql

TABLES = ("artifacts", "registered_models", "model_versions", "model_events", "model_search", "model_metrics")

# Said without the name of the schema, which is on the search_path.
_FOREIGN_KEYS = """
    select format('alter table %%I add constraint %%I %%s', c.relname, k.conname, pg_get_constraintdef(k.oid))
    from pg_constraint as k
    inner join pg_class as c on k.conrelid = c.oid
    where k.contype = 'f' and k.conrelid = any(%s::regclass[])
    order by k.conname
"""

# What LIKE leaves out: the settings by which statements are planned.
_COLUMN_SETTINGS = """
    select format('alter table %%I alter column %%I set (%%s)', c.relname, a.attname, o.setting)
    from pg_attribute as a
    inner join pg_class as c on a.attrelid = c.oid
    cross join lateral unnest(a.attoptions) as o (setting)
    where o.setting like 'n_distinct%%' and a.attrelid = any(%s::regclass[])
"""

_COUNT = """
    insert into registered_models as r (name, last_version)
    values (%(name)s, 1)
    on conflict (name) do update set last_version = r.last_version + 1
    returning last_version
"""
_UNFLAG = "update artifacts set is_latest = false where name = %(name)s and is_latest"
_ARTIFACT = """
    insert into artifacts (
        id, artifact_type, name, title, metadata, metadata_schema_version, version_number, is_latest, version_tag,
        origin_type, created_by
    )
    values (
        %(id)s, 'model', %(name)s, %(title)s, %(metadata)s, 1,
        (select last_version from registered_models where name = %(name)s), true, %(version_tag)s,
        %(origin_type)s, %(created_by)s
    )
"""
_VERSION = """
    insert into model_versions (
        artifact_id, model_name, is_external, code_repo_url, code_commit_sha, code_entrypoint, training_started_at,
        training_completed_at, trained_by, training_params_json, eval_metrics_json
    )
    values (
        %(id)s, %(name)s, false, %(code_repo_url)s, %(code_commit_sha)s, %(code_entrypoint)s, %(training_started_at)s,
        %(training_completed_at)s, %(trained_by)s, %(metadata)s::jsonb -> 'training_config',
        %(metadata)s::jsonb -> 'evaluation_metrics'
    )
"""
_EVENT = """
    insert into model_events (action, artifact_id, model_name, version_number, new)
    values (
        'registered', %(id)s, %(name)s, (select last_version from registered_models where name = %(name)s),
        jsonb_build_object('created_by', %(created_by)s::text, 'parent_version_id', null)
    )
"""
# What is looked for: the words of the texts and the facts. The documents of these benchmarks have no more of either.
_SEARCHED = """
    strip(to_tsvector('simple', concat_ws(' ', {name}, {title}, {metadata} ->> 'description')))
    || array_to_tsvector(array[
        '=name:' || {name}, '=state:candidate', '=is_external:false', '=trained_by:' || {trained_by},
        '=family:' || lower({metadata} ->> 'model_family'), '=framework:' || lower({metadata} ->> 'framework'),
        '=task:' || lower({metadata} ->> 'task'), '=evaluation_dataset:' || ({metadata} ->> 'evaluation_dataset'),
        '=training_dataset:' || ({metadata} -> 'training_data' ->> 0),
        '=training_dataset:' || ({metadata} -> 'training_data' ->> 1)
    ])
"""
_SEARCH = f"""
    with listed as (
        insert into model_search (artifact_id, registered_at, trained_at, family, metrics, document)
        values (
            %(id)s, now(), %(training_completed_at)s, lower(%(metadata)s::jsonb ->> 'model_family'),
            %(metadata)s::jsonb -> 'evaluation_metrics',
            {
    _SEARCHED.format(
        name="%(name)s::text",
        title="%(title)s::text",
        metadata="%(metadata)s::jsonb",
        trained_by="%(trained_by)s::text",
    )
}
        )
        returning place, metrics
    )

    insert into model_metrics (metric, value, place)
    select e.key, e.value::double precision, l.place from listed as l cross join lateral jsonb_each(l.metrics) as e
"""

# The chunk is read once, and whatever needs an order gets it from a count(*) of what comes before.
_MANY = f"""
    with asked as materialized (
        select
            m.*,
            'model-' || gen_random_uuid() as id,
            count(*) over (partition by m.name) as versions,
            row_number() over (partition by m.name order by m.place) as nth
        from rows from (jsonb_to_recordset(%(models)s) as (
            name text, metadata jsonb, title text, version_tag text, origin_type text, created_by text,
            code_repo_url text, code_commit_sha text, code_entrypoint text, training_started_at timestamptz,
            training_completed_at timestamptz, trained_by text
        )) with ordinality as m (
            name, metadata, title, version_tag, origin_type, created_by, code_repo_url, code_commit_sha,
            code_entrypoint, training_started_at, training_completed_at, trained_by, place
        )
    ),

    counted as (
        insert into registered_models as r (name, last_version)
        select name, count(*) from asked group by name
        on conflict (name) do update set last_version = r.last_version + excluded.last_version
        returning name, last_version
    ),

    unflagged as (
        update artifacts as a set is_latest = false
        from counted as c
        where a.name = c.name and a.is_latest
        returning a.id
    ),

    artifact as (
        insert into artifacts (
            id, artifact_type, name, title, metadata, metadata_schema_version, version_number, is_latest, version_tag,
            origin_type, created_by
        )
        select
            a.id, 'model', a.name, a.title, a.metadata, 1, c.last_version - a.versions + a.nth, a.nth = a.versions,
            a.version_tag, a.origin_type, a.created_by
        from asked as a
        inner join counted as c on a.name = c.name
        where (select count(*) from unflagged) >= 0
        returning id, version_number
    ),

    version as (
        insert into model_versions (
            artifact_id, model_name, is_external, code_repo_url, code_commit_sha, code_entrypoint, training_started_at,
            training_completed_at, trained_by, training_params_json, eval_metrics_json
        )
        select
            id, name, false, code_repo_url, code_commit_sha, code_entrypoint, training_started_at,
            training_completed_at, trained_by, metadata -> 'training_config', metadata -> 'evaluation_metrics'
        from asked
        returning artifact_id
    ),

    event as (
        insert into model_events (action, artifact_id, model_name, version_number, new)
        select
            'registered', a.id, a.name, c.last_version - a.versions + a.nth,
            jsonb_build_object('created_by', a.created_by, 'parent_version_id', null)
        from asked as a
        inner join counted as c on a.name = c.name
    ),

    listed as (
        insert into model_search (artifact_id, registered_at, trained_at, family, metrics, document)
        select
            id, now(), training_completed_at, lower(metadata ->> 'model_family'), metadata -> 'evaluation_metrics',
            {_SEARCHED.format(name="name", title="title", metadata="metadata", trained_by="trained_by")}
        from asked
        returning place, metrics
    ),

    metrics as (
        insert into model_metrics (metric, value, place)
        select e.key, e.value::double precision, l.place from listed as l cross join lateral jsonb_each(l.metrics) as e
    )

    select id, version_number, true from artifact
"""


def create(conn: psycopg.Connection, registry: str, schema: str) -> None:
    """Make the floor's tables in a schema of their own, from the registry's as they stand in the catalogue.

    Columns with defaults, NOT NULL and settings, keys and indexes come along, then the foreign keys; CHECKs and
    triggers do not.
    """
    names = {"registry": sql.Identifier(registry), "schema": sql.Identifier(schema)}
    conn.execute(sql.SQL("create schema {schema}").format(**names))
    conn.execute(sql.SQL("set search_path = {registry}").format(**names))
    settings = conn.execute(_COLUMN_SETTINGS, [list(TABLES)]).fetchall()
    foreign_keys = conn.execute(_FOREIGN_KEYS, [list(TABLES)]).fetchall()
    conn.execute(sql.SQL("set search_path = {schema}").format(**names))
    for table in TABLES:
        like = "create table {table} (like {registry}.{table} including all excluding constraints)"
        conn.execute(sql.SQL(like).format(**names, table=sql.Identifier(table)))
    for (statement,) in settings + foreign_keys:
        conn.execute(statement)
    conn.execute("reset search_path")


def register_one(conn: psycopg.Connection, model: dict[str, Any]) -> None:
    """Six prepared statements in one transaction and, by a pipeline, one round trip."""
    row = model | {"id": f"model-{uuid.uuid4()}", "metadata": json.dumps(model["metadata"])}
    with conn.pipeline():
        for statement in (_COUNT, _UNFLAG, _ARTIFACT, _VERSION, _EVENT, _SEARCH):
            conn.execute(statement, row, prepare=True)


def register_many(conn: psycopg.Connection, models: str) -> int:
    """One statement for a chunk given as a JSON array; returns how many models it wrote."""
    return len(conn.execute(_MANY, {"models": models}).fetchall())
