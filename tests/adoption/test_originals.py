"""``artifacts_original`` gives back every byte, whatever the columns are and whoever deploys, and stays as it is."""

from __future__ import annotations

import json
import re

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from atlas_models.deployment_files import packaged_folder
from old_catalogues import SMALL_TABLE, SQLITE_TABLE
from refusals import refused

pytestmark = pytest.mark.long

TEXTS = [
    '{"b":1,"a":1.50e2,"a":2}',
    '{"note": "a\\u0000b"}',
    '{"half": "\\ud83d", "other half": "\\ude00", "whole": "\\ud83d\\ude00", "twice": "\\ud83d\\ud83d\\ude00"}',
    '{"backslashes": "\\\\u0000 \\\\\\\\u0000", "\\u0000key": 1}',
    ' { "a" :\n1 }\t\r\n',
    "null",
    '""',
    "[1, [2.0, 3e5], {}]",
    "123456789012345678901234567890.123456789",
    '{"ü": "\U0001f600\u2028\u202e\x7f"}',
    "-0",
]


@pytest.mark.parametrize("column_type", ["text", "json", "varchar"])
def test_every_byte_of_a_document_comes_back(catalogue, column_type):
    catalogue.run(f"create table artifacts (id text primary key, artifact_type text, metadata {column_type})")
    for number, text in enumerate(TEXTS):
        catalogue.insert({"id": str(number), "metadata": text})
    catalogue.adopt()
    kept = catalogue.rows("select row_text::json ->> 'metadata' from artifacts_original order by id::integer")
    assert [row[0] for row in kept] == TEXTS


def test_what_cannot_be_stored_as_jsonb_is_spelt_out_and_nothing_else_is(catalogue):
    catalogue.run(SQLITE_TABLE)
    for number, text in enumerate(TEXTS[:4]):
        catalogue.insert({"id": str(number), "metadata": text})
    catalogue.adopt()
    assert [row[0] for row in catalogue.rows("select metadata from artifacts order by id::integer")] == [
        {"a": 2, "b": 1},
        {"note": "a\\u0000b"},
        {
            "half": "\\ud83d",
            "other half": "\\ude00",
            "whole": "\U0001f600",
            "twice": "\\ud83d\U0001f600",
        },
        {"backslashes": "\\u0000 \\\\u0000", "\\u0000key": 1},
    ]


OTHER_COLUMNS = """
    bytes bytea, money_free numeric, single real, double double precision, moment timestamp, day date, span interval,
    texts text[], "jsonb" jsonb, "range" int4range, pair public.pair, colour public.colour, small public.small,
    flag boolean, address inet, blank text, nothing text, letter "char", fixed char(4), "xml" xml, pairs public.pair[]
"""
OTHER_VALUES = r"""
    '\x00ff5c'::bytea, 1.10, 1.1::real, 0.1::float8 + 0.2, '2024-05-01 12:00', '0044-03-15 BC',
    '1 month -2 days 03:04:05.6',
    array['a', null, 'null', 'b"c'], '{"b": 1, "a": 1.50e2}', '[1,5)', row(1, null), 'dark red', 7,
    true, '10.0.0.1/8', '', null, 'x', 'ab', '<a b="1"/>', array[row(1, 'a,b')::public.pair, null]
"""


def test_values_of_any_other_type_come_back_too_in_a_session_with_settings_of_its_own(catalogue, server_url):
    name = str(conninfo_to_dict(catalogue.url)["dbname"])
    with psycopg.connect(server_url, autocommit=True) as conn:
        for setting in (
            "timezone = 'Asia/Kathmandu'",
            "datestyle = 'SQL, DMY'",
            "intervalstyle = 'sql_standard'",
            "bytea_output = 'escape'",
            "extra_float_digits = -3",
            "quote_all_identifiers = on",
            "transform_null_equals = on",
            "default_transaction_isolation = 'serializable'",
        ):
            conn.execute(sql.SQL("alter database {} set " + setting).format(sql.Identifier(name)))
    catalogue.run(
        f"""
        create type public.pair as (a integer, b text);
        create type public.colour as enum ('dark red');
        create domain public.small as integer check (value < 10);
        create table artifacts (id text primary key, artifact_type text, created_at timestamptz, {OTHER_COLUMNS});
        set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres';
        insert into artifacts values ('a', 'dataset', '2024-05-01 12:30:00.123456+02', {OTHER_VALUES});
        insert into artifacts (id, artifact_type, pair) values ('b', 'dataset', row(null, null));
        create table public.before as select * from artifacts;
        """
    )
    catalogue.adopt()
    assert json.loads(catalogue.value("select row_text from artifacts_original where id = 'a'")) == {
        "id": "a",
        "artifact_type": "dataset",
        "created_at": "2024-05-01 10:30:00.123456+00",
        "bytes": "\\x00ff5c",
        "money_free": "1.10",
        "single": "1.1",
        "double": "0.30000000000000004",
        "moment": "2024-05-01 12:00:00",
        "day": "0044-03-15 BC",
        "span": "1 mon -2 days +03:04:05.6",
        "texts": '{a,NULL,"null","b\\"c"}',
        "jsonb": '{"a": 150, "b": 1}',
        "range": "[1,5)",
        "pair": "(1,)",
        "colour": "dark red",
        "small": "7",
        "flag": "true",
        "address": "10.0.0.1/8",
        "blank": "",
        "nothing": None,
        "letter": "x",
        "fixed": "ab",
        "xml": '<a b="1"/>',
        "pairs": '{"(1,\\"a,b\\")",NULL}',
    }
    # A row of NULLs is not NULL, and stays none.
    kept = json.loads(catalogue.value("select row_text from artifacts_original where id = 'b'"))
    assert (kept["pair"], kept["pairs"]) == ("(,)", None)
    # The way back that docs/adopt.md shows makes the same values of them.
    page = (packaged_folder() / "docs" / "adopt.md").read_text()
    (fill,) = re.findall(r"^do \$do\$\n.*?^\$do\$;", page, re.DOTALL | re.MULTILINE)
    catalogue.run("create schema before_atlas; create table before_atlas.artifacts (like public.before)")
    catalogue.run(fill)
    rows = "select b::text from {} as b order by id"
    assert catalogue.rows(rows.format("before_atlas.artifacts")) == catalogue.rows(rows.format("public.before"))
    assert catalogue.value("select count(*) from before_atlas.artifacts") == 2


def test_a_time_without_offset_is_utc_wherever_the_deploy_comes_from(catalogue, server_url):
    name = str(conninfo_to_dict(catalogue.url)["dbname"])
    with psycopg.connect(server_url, autocommit=True) as conn:
        statement = "alter database {} set timezone = 'Asia/Kathmandu'"
        conn.execute(sql.SQL(statement).format(sql.Identifier(name)))
    catalogue.run(SQLITE_TABLE.replace("default to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')", ""))
    catalogue.insert({"id": "a", "created_at": "2024-05-01 12:00:00", "updated_at": "2024-05-01T12:00:00+05:45"})
    catalogue.adopt()
    query = "select created_at at time zone 'UTC' || '', updated_at at time zone 'UTC' || '' from artifacts"
    assert catalogue.rows(query) == [("2024-05-01 12:00:00", "2024-05-01 06:15:00")]


def test_a_row_of_twenty_megabytes_comes_back(catalogue):
    catalogue.run(SQLITE_TABLE)
    catalogue.run(
        """
        insert into artifacts (id, artifact_type, metadata)
        select 'big', 'model', jsonb_build_object('notes', string_agg(md5(n::text), ' "\\ '))::text
        from generate_series(1, 600000) as n
        """
    )
    was = catalogue.rows("select length(metadata), md5(metadata) from artifacts")
    assert was[0][0] > 20_000_000
    catalogue.adopt()
    query = "select length(m), md5(m) from (select row_text::json ->> 'metadata' as m from artifacts_original) as o"
    assert catalogue.rows(query) == was
    assert catalogue.value("select length(metadata::text) > 20000000 from artifacts") is True


def test_columns_with_odd_names_many_of_them_and_dropped_ones_are_kept(catalogue):
    many = ", ".join(f'"Column {number} % ""x"" \'y\' \\" integer default {number}' for number in range(200))
    catalogue.run(
        f'create table artifacts (id text primary key, gone text, artifact_type text, "Metadata" text, {many})'
    )
    catalogue.run("alter table artifacts drop column gone")
    catalogue.run("""insert into artifacts (id, artifact_type, "Metadata") values ('a', 'model', 'no JSON at all')""")
    catalogue.adopt()
    kept = json.loads(catalogue.value("select row_text from artifacts_original"))
    assert len(kept) == 203
    assert kept["Metadata"] == "no JSON at all"
    assert kept["Column 199 % \"x\" 'y' \\"] == "199"
    assert catalogue.rows('select "Metadata", metadata from artifacts') == [("no JSON at all", None)]


# --- it stays as it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "update artifacts_original set row_text = '{}'",
        "update artifacts_original set id = id",
        "delete from artifacts_original",
        "truncate artifacts_original",
        "truncate artifacts, artifacts_original cascade",
        "insert into artifacts_original values ('a', 'forged') on conflict (id) do update set row_text = 'forged'",
    ],
)
@pytest.mark.parametrize("role", ["postgres", "atlas_owner"])
def test_nobody_rewrites_it(catalogue, statement, role):
    catalogue.run(f"{SMALL_TABLE}; insert into artifacts values ('a', 'dataset')")
    catalogue.adopt()
    with catalogue.connect() as conn:
        conn.execute(f"set role {role}")
        for mode in ("origin", "replica"):
            with pytest.raises(psycopg.Error) as caught:
                conn.execute(f"reset role; set session_replication_role = {mode}; set role {role}; {statement}")
            assert caught.value.sqlstate == "MR008"
    assert catalogue.rows("select * from artifacts_original") == [("a", '{"id" : "a", "artifact_type" : "dataset"}')]


def test_a_refusal_to_rewrite_says_why(catalogue):
    catalogue.run(f"{SMALL_TABLE}; insert into artifacts values ('a', 'dataset')")
    catalogue.adopt()
    with refused("MR008", detail="DELETE on atlas.artifacts_original would rewrite a record"):
        catalogue.run("delete from artifacts_original")


def test_a_database_that_began_as_a_registry_has_none(conn):
    assert conn.execute("select count(*) from artifacts_original").fetchone() == (0,)
