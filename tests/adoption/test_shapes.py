"""A table that stands in the schema is taken over in place, whatever shape such tables have."""

from __future__ import annotations

import json

from old_catalogues import POSTGRES_TABLE, SMALL_TABLE, SQLITE_TABLE

COLUMNS = """
    select a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        || case when a.attnotnull then ' not null' else '' end
        || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
    from pg_attribute as a
    left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
    where a.attrelid = 'artifacts'::regclass and a.attnum > 0 and not a.attisdropped
    order by a.attnum
"""


def columns(catalogue):
    return [row[0] for row in catalogue.rows(COLUMNS)]


def test_a_sqlite_like_table_gets_native_types(catalogue):
    catalogue.run(SQLITE_TABLE)
    catalogue.run(
        """
        insert into artifacts (id, artifact_type, title, metadata, is_latest, created_at, updated_at) values
            ('model-1', 'model', 'Risk', '{"params": "1.2M"}', 1, '2024-05-01 12:30:00', '2024-05-01T14:30:00+02:00'),
            ('model-2', 'model', null, null, 0, '2024-05-01', null),
            ('dataset-1', 'dataset', 'Cohort', '["free", "form"]', null, '2024-05-01T12:30:00.25Z', '2024-05-01 12:30')
        """
    )
    report = catalogue.adopt()
    assert (report.adopted.rows, report.adopted.models) == (3, 2)
    assert columns(catalogue) == [
        "id text not null",
        "artifact_type text not null",
        "title text",
        "metadata jsonb",
        "version_number integer default 1",
        "parent_version_id text",
        "version_tag text",
        "changelog text",
        "is_latest boolean default true",
        "lifecycle_state text default 'active'::text",
        "superseded_by text",
        "origin_type text",
        "origin_url text",
        "created_by text",
        "created_at timestamp with time zone default now()",
        "updated_at timestamp with time zone default now()",
        "metadata_schema_version integer",
        "name text",
    ]
    query = """
        select id, metadata, metadata_schema_version, name, is_latest,
            created_at at time zone 'UTC' || '', updated_at at time zone 'UTC' || ''
        from artifacts order by id
    """
    assert catalogue.rows(query) == [
        ("dataset-1", ["free", "form"], None, None, None, "2024-05-01 12:30:00.25", "2024-05-01 12:30:00"),
        ("model-1", {"params": "1.2M"}, 0, None, True, "2024-05-01 12:30:00", "2024-05-01 12:30:00"),
        ("model-2", None, 0, None, False, "2024-05-01 00:00:00", None),
    ]


def test_a_postgresql_table_keeps_its_own_columns_and_defaults(catalogue):
    catalogue.run(POSTGRES_TABLE)
    catalogue.run(
        """
        insert into artifacts (id, project, artifact_type, title, metadata, size_bytes, created_at, tags) values
            ('m', 'p1', 'model', 'Risk', '{"a": 1}', 9007199254740993, '2024-05-01 12:30+02', '{x,"y z"}')
        """
    )
    catalogue.adopt()
    assert columns(catalogue) == [
        "id text not null",
        "project text",
        "artifact_type text not null",
        "title text",
        "metadata jsonb default '{}'::jsonb",
        "is_latest boolean default true",
        "parent_version_id text",
        "size_bytes bigint",
        "created_at timestamp with time zone default clock_timestamp()",
        "tags text[]",
        "metadata_schema_version integer",
        "name text",
        "version_number integer",
        "version_tag text",
        "changelog text",
        "lifecycle_state text",
        "superseded_by text",
        "origin_type text",
        "origin_url text",
        "created_by text",
        "updated_at timestamp with time zone default now()",
    ]
    assert catalogue.rows(
        "select id, project, size_bytes, tags, metadata_schema_version, updated_at from artifacts"
    ) == [("m", "p1", 9007199254740993, ["x", "y z"], 0, None)]
    original = json.loads(catalogue.value("select row_text from artifacts_original"))
    assert original == {
        "id": "m",
        "project": "p1",
        "artifact_type": "model",
        "title": "Risk",
        "metadata": '{"a": 1}',
        "is_latest": "true",
        "parent_version_id": None,
        "size_bytes": "9007199254740993",
        "created_at": "2024-05-01 10:30:00+00",
        "tags": '{x,"y z"}',
    }


def test_the_smallest_table_gets_every_column(catalogue):
    catalogue.run(SMALL_TABLE)
    catalogue.run("insert into artifacts values ('m', 'model'), ('d', 'dataset')")
    catalogue.adopt()
    assert catalogue.rows("select id, metadata_schema_version, is_latest, created_at from artifacts order by id") == [
        ("d", None, None, None),
        ("m", 0, None, None),
    ]


def test_every_byte_of_a_document_comes_back(catalogue):
    documents = {
        "numbers and order": '{"b":1,"a":1.50e2,"a":2}',
        "no such character": (
            '{"note": "a\\u0000b", "half": "\\ud83d", "whole": "\\ud83d\\ude00", "plain": "\\\\u0000"}'
        ),
        "white space": ' { "a" :\n1 }\t',
        "letters": '{"ü": "\U0001f600"}',
        "null": "null",
    }
    catalogue.run(SQLITE_TABLE)
    with catalogue.connect() as conn:
        for name, document in documents.items():
            conn.execute(
                "insert into artifacts (id, artifact_type, metadata) values (%s, 'model', %s)", [name, document]
            )
    catalogue.adopt()
    kept = catalogue.rows("select id, row_text::json ->> 'metadata' from artifacts_original")
    assert dict(kept) == documents
    converted = dict(catalogue.rows("select id, metadata from artifacts"))
    assert converted == {
        "numbers and order": {"a": 2, "b": 1},
        "no such character": {"note": "a\\u0000b", "half": "\\ud83d", "whole": "\U0001f600", "plain": "\\u0000"},
        "white space": {"a": 1},
        "letters": {"ü": "\U0001f600"},
        "null": None,
    }
