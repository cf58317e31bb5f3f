"""A table that stands in the schema is taken over in place, whatever shape such tables have."""

from __future__ import annotations

import json

import pytest

from old_catalogues import POSTGRES_TABLE, SMALL_TABLE, SQLITE_TABLE

pytestmark = pytest.mark.long

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


# (type of the old column, what was written, what it is afterwards)
SHAPES = [
    ("metadata", "text", "'{\"a\": 1.50e2}'", {"a": 150}),
    ("metadata", "varchar(40)", "'[]'", []),
    ("metadata", "json", '\' {"a": 1, "a": 2}\'', {"a": 2}),
    ("metadata", "json", "'\"\\u0000\"'", "\\u0000"),
    ("metadata", "jsonb", "'{\"a\": [true, null]}'", {"a": [True, None]}),
    ("is_latest", "integer", "1", True),
    ("is_latest", "integer", "0", False),
    ("is_latest", "smallint", "1", True),
    ("is_latest", "bigint", "0", False),
    ("is_latest", "boolean", "false", False),
    ("is_latest", "integer", "null", None),
    ("version_number", "smallint", "32767", 32767),
    ("version_number", "bigint", "2147483647", 2147483647),
    ("version_number", "integer", "-1", -1),
    ("title", "varchar(5)", "'abc  '", "abc  "),
    ("title", 'text collate "C"', "'ü'", "ü"),
    ("lifecycle_state", "text", "''", ""),
    ("id", "varchar(80)", "'an id that no new artifact could have'", "an id that no new artifact could have"),
    ("artifact_type", "varchar", "'dataset'", "dataset"),
]


@pytest.mark.parametrize(("column", "column_type", "written", "read"), SHAPES)
def test_a_column_of_any_usual_type_becomes_the_registrys(catalogue, column, column_type, written, read):
    others = {"id": "id text default 'x'", "artifact_type": "artifact_type text default 'model'"}
    others.pop(column, None)
    catalogue.run(
        f"create table artifacts ({', '.join([*others.values(), f'{column} {column_type}'])}, primary key (id))"
    )
    catalogue.run(f"insert into artifacts ({column}) values ({written})")
    catalogue.adopt()
    assert catalogue.rows(f"select {column} from artifacts") == [(read,)]


@pytest.mark.parametrize(
    ("column_type", "written", "utc"),
    [
        ("text", "2024-05-01", "2024-05-01 00:00:00"),
        ("text", "2024-05-01 12:30", "2024-05-01 12:30:00"),
        ("text", "2024-05-01 12:30:59.123456789", "2024-05-01 12:30:59.123457"),
        ("text", "2024-05-01T12:30:00Z", "2024-05-01 12:30:00"),
        ("text", "2024-05-01T12:30:00 +02", "2024-05-01 10:30:00"),
        ("varchar(30)", "2024-05-01T12:30:00-0330", "2024-05-01 16:00:00"),
        ("text", "0099-01-02 03:04:05+00:00", "0099-01-02 03:04:05"),
        ("timestamptz", "2024-05-01 12:30:00+02", "2024-05-01 10:30:00"),
        ("timestamptz", "infinity", "infinity"),
    ],
)
@pytest.mark.parametrize("column", ["created_at", "updated_at"])
def test_a_time_of_any_usual_form_becomes_a_moment(catalogue, column, column_type, written, utc):
    catalogue.run(f"create table artifacts (id text primary key, artifact_type text, {column} {column_type})")
    catalogue.insert({"id": "m", column: written})
    catalogue.adopt()
    assert catalogue.value(f"select {column} at time zone 'UTC' || '' from artifacts") == utc


@pytest.mark.parametrize(
    ("column", "default", "becomes"),
    [
        ("metadata text", "'{}'", "'{}'::jsonb"),
        ("metadata text", """'{"a": "it''s"}'""", """'{"a": "it''s"}'::jsonb"""),
        ("metadata json", "'[1]'", "'[1]'::jsonb"),
        ("metadata text", "null", None),
        ("is_latest integer", "1", "true"),
        ("is_latest smallint", "0", "false"),
        ("is_latest bigint", "1", "true"),
        ("is_latest boolean", "false", "false"),
        ("is_latest integer", None, "true"),
        ("created_at text", "current_timestamp", "now()"),
        ("created_at text", "'1970-01-01'", "'1970-01-01 00:00:00+00'::timestamp with time zone"),
        ("created_at timestamptz", "clock_timestamp()", "clock_timestamp()"),
        ("created_at timestamptz", None, "now()"),
        ("version_number bigint", "'1'", "'1'::bigint"),
        ("version_number integer", "1", "1"),
        ("title varchar(9)", "'untitled'", "'untitled'::character varying"),
    ],
)
def test_a_default_goes_with_its_column(catalogue, column, default, becomes):
    suffix = "" if default is None else f" default {default}"
    catalogue.run(f"create table artifacts (id text primary key, artifact_type text, {column}{suffix})")
    catalogue.run("insert into artifacts (id, artifact_type) values ('m', 'model')")
    catalogue.adopt()
    catalogue.run("set timezone = 'UTC'; insert into artifacts (id, artifact_type) values ('d', 'dataset')")
    query = """
        select pg_get_expr(d.adbin, d.adrelid)
        from pg_attribute as a left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
        where a.attrelid = 'artifacts'::regclass and a.attname = %s
    """
    with catalogue.connect() as conn:
        conn.execute("set timezone = 'UTC'")
        assert conn.execute(query, [column.partition(" ")[0]]).fetchone() == (becomes,)


def test_columns_that_are_no_concern_of_the_registry_stay_as_they_are(catalogue):
    catalogue.run(
        """
        create type public.colour as enum ('red', 'dark red');
        create domain public.small as integer check (value < 10);
        create table artifacts (
            id text primary key, artifact_type text, gone text, "Title" text collate "C" not null default 'x',
            twice integer generated always as (3 * 2) stored, colour public.colour default 'red', small public.small,
            name_parts text[] not null default '{}', external bytea
        );
        alter table artifacts drop column gone;
        alter table artifacts alter column external set storage external, alter column "Title" set statistics 500;
        comment on column artifacts.small is 'less than ten';
        insert into artifacts (id, artifact_type, small, external) values ('m', 'model', 3, '\\x00');
        """
    )
    catalogue.adopt()
    assert columns(catalogue)[:9] == [
        "id text not null",
        "artifact_type text not null",
        "\"Title\" text not null default 'x'::text".replace('"', ""),
        "twice integer default (3 * 2)",
        "colour colour default 'red'::colour",
        "small small",
        "name_parts text[] not null default '{}'::text[]",
        "external bytea",
        "metadata_schema_version integer",
    ]
    query = """
        select
            a.attcollation::regcollation::text, a.attstattarget, a.attstorage::text,
            col_description(a.attrelid, a.attnum)
        from pg_attribute as a
        where a.attrelid = 'artifacts'::regclass and a.attname in ('Title', 'external', 'small') order by a.attname
    """
    assert [row[0] for row in catalogue.rows(query)] == ['"C"', "-", "-"]
    assert [row[1:] for row in catalogue.rows(query)] == [
        (500, "x", None),
        (-1, "e", None),
        (-1, "p", "less than ten"),
    ]
    assert catalogue.rows('select "Title", twice, colour::text, small, external from artifacts') == [
        ("x", 6, "red", 3, b"\x00")
    ]
