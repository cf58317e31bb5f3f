"""What is refused, why, and by which statement it goes through: everything at once, and nothing is changed."""

from __future__ import annotations

import pytest

from atlas_models.deployment_files import packaged_folder
from atlas_models.preflight import OUR_NAMES
from old_catalogues import POSTGRES_TABLE, SQLITE_TABLE, refused_unchanged

pytestmark = pytest.mark.long

ID = "id text primary key"
TYPE = "artifact_type text not null"
SMALL = f"create table artifacts ({ID}, {TYPE})"

# (what the old table is, what is wrong with it, the statement that puts it right)
REMEDIED = {
    "unlogged": (
        f"create unlogged table artifacts ({ID}, {TYPE})",
        "it is not a permanent, logged table",
        "alter table atlas.artifacts set logged",
    ),
    "typed": (
        "create type public.row as (id text, artifact_type text);"
        "create table artifacts of public.row (primary key (id))",
        "it is a typed table",
        "alter table atlas.artifacts not of",
    ),
    "row level security": (
        f"{SMALL}; alter table artifacts enable row level security",
        "it has row level security, which would hide rows from the registry",
        "alter table atlas.artifacts disable row level security",
    ),
    "policy": (
        f'{SMALL}; create policy "mine" on artifacts using (true)',
        "the policy mine on atlas.artifacts uses it",
        "drop policy mine on atlas.artifacts",
    ),
    "policy of another table": (
        f"{SMALL}; create table other (id text);"
        "create policy p on other using (exists (select from artifacts as a where a.id = other.id))",
        "the policy p on atlas.other uses it",
        "drop policy p on atlas.other",
    ),
    "id of another type": (
        f"create table artifacts (id uuid primary key default gen_random_uuid(), {TYPE})",
        "the column id is of type uuid, not text",
        "alter table atlas.artifacts alter column id type text using id::text -- or whatever fits its values",
    ),
    "id of another type, with a parent of text": (
        f"create table artifacts (id char(8) primary key, {TYPE}, parent_version_id varchar references artifacts (id))",
        "the column id is of type character, not text",
        "alter table atlas.artifacts drop constraint if exists artifacts_parent_version_id_fkey, "
        "alter column id type text using id::text -- or whatever fits its values",
    ),
    "type as an enum": (
        "create type public.kind as enum ('model', 'dataset');"
        f"create table artifacts ({ID}, artifact_type public.kind not null default 'dataset')",
        "the column artifact_type is of type public.kind, not text",
        "alter table atlas.artifacts alter column artifact_type type text using artifact_type::text"
        " -- or whatever fits its values",
    ),
    "a domain": (
        f"create domain public.label as text; create table artifacts ({ID}, {TYPE}, title public.label)",
        "the column title is of type public.label, not text",
        "alter table atlas.artifacts alter column title type text using title::text -- or whatever fits its values",
    ),
    "flag as text": (
        f"create table artifacts ({ID}, {TYPE}, is_latest text default 'true')",
        "the column is_latest is of type text, not boolean",
        "alter table atlas.artifacts alter column is_latest drop default, "
        "alter column is_latest type boolean using is_latest::text::boolean -- or whatever fits its values",
    ),
    "flag as a number with a point": (
        f"create table artifacts ({ID}, {TYPE}, is_latest numeric)",
        "the column is_latest is of type numeric, not boolean",
        "alter table atlas.artifacts alter column is_latest type boolean using is_latest <> 0"
        " -- or whatever fits its values",
    ),
    "number as text": (
        f"create table artifacts ({ID}, {TYPE}, version_number text)",
        "the column version_number is of type text, not integer",
        "alter table atlas.artifacts alter column version_number type integer using version_number::integer"
        " -- or whatever fits its values",
    ),
    "time without time zone": (
        f"create table artifacts ({ID}, {TYPE}, created_at timestamp default localtimestamp)",
        "the column created_at is of type timestamp without time zone, not timestamp with time zone",
        "alter table atlas.artifacts alter column created_at drop default, alter column created_at type timestamp with "
        "time zone using created_at::timestamp at time zone 'UTC' -- or whatever fits its values",
    ),
    "time as a day": (
        f"create table artifacts ({ID}, {TYPE}, updated_at date)",
        "the column updated_at is of type date, not timestamp with time zone",
        "alter table atlas.artifacts alter column updated_at type timestamp with "
        "time zone using updated_at::timestamp at time zone 'UTC' -- or whatever fits its values",
    ),
    "time as seconds": (
        f"create table artifacts ({ID}, {TYPE}, created_at bigint)",
        "the column created_at is of type bigint, not timestamp with time zone",
        "alter table atlas.artifacts alter column created_at type timestamp with time zone"
        " using to_timestamp(created_at) -- or whatever fits its values",
    ),
    "generated": (
        f"create table artifacts ({ID}, {TYPE}, title text generated always as (upper(id)) stored)",
        "the column title is generated",
        "alter table atlas.artifacts alter column title drop expression",
    ),
    "identity": (
        f"create table artifacts ({ID}, {TYPE}, version_number integer generated by default as identity)",
        "the column version_number is an identity",
        "alter table atlas.artifacts alter column version_number drop identity",
    ),
    "collation": (
        "create collation public.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        f"create table artifacts (id text collate public.any_case primary key, {TYPE})",
        "the column id has a collation by which different texts are equal",
        'alter table atlas.artifacts alter column id type text collate "default"',
    ),
    "default that is no JSON": (
        f"create table artifacts ({ID}, {TYPE}, metadata text default 'none')",
        "the default of metadata cannot be carried over: 'none'::text",
        "alter table atlas.artifacts alter column metadata drop default -- or make it a constant",
    ),
    "default that is computed": (
        f"create table artifacts ({ID}, {TYPE}, metadata text default json_build_object('at', now())::text)",
        "the default of metadata cannot be carried over: (json_build_object('at', now()))::text",
        "alter table atlas.artifacts alter column metadata drop default -- or make it a constant",
    ),
    "default that is no flag": (
        f"create table artifacts ({ID}, {TYPE}, is_latest integer default 2)",
        "the default of is_latest cannot be carried over: 2",
        "alter table atlas.artifacts alter column is_latest drop default -- or make it a constant",
    ),
    "default that is no time": (
        f"create table artifacts ({ID}, {TYPE}, created_at text default 'unknown')",
        "the default of created_at cannot be carried over: 'unknown'::text",
        "alter table atlas.artifacts alter column created_at drop default -- or make it a constant",
    ),
    "name": (
        f"create table artifacts ({ID}, {TYPE}, name text)",
        "the registry keeps a column name of its own",
        "alter table atlas.artifacts rename column name to legacy_name",
    ),
    "metadata_schema_version": (
        f"create table artifacts ({ID}, {TYPE}, metadata_schema_version integer)",
        "the registry keeps a column metadata_schema_version of its own",
        "alter table atlas.artifacts rename column metadata_schema_version to legacy_metadata_schema_version",
    ),
    "mandatory column": (
        f'create table artifacts ({ID}, {TYPE}, "The Project" text not null)',
        "the column The Project must be given and has no default, so that nothing could be registered",
        'alter table atlas.artifacts alter column "The Project" drop not null -- or give it a default',
    ),
    "mandatory domain": (
        f"create domain public.given as text not null; create table artifacts ({ID}, {TYPE}, project public.given)",
        "the column project must be given and has no default, so that nothing could be registered",
        "alter domain public.given drop not null -- or give the column a default",
    ),
    "no primary key": (
        f"create table artifacts (id text not null, {TYPE})",
        "it has no primary key",
        "alter table atlas.artifacts add primary key (id)",
    ),
    "deferrable primary key": (
        f"create table artifacts (id text constraint pk primary key deferrable, {TYPE})",
        "its primary key is deferrable, and nothing could refer to it",
        "alter table atlas.artifacts drop constraint pk, add primary key (id)"
        " -- foreign keys that refer to it go first",
    ),
    "another primary key": (
        f"create table artifacts (number serial primary key, id text unique not null, {TYPE})",
        "its primary key is not the column id",
        "alter table atlas.artifacts drop constraint artifacts_pkey, add primary key (id)"
        " -- foreign keys that refer to it go first",
    ),
    "trigger": (
        f"{SMALL}; create trigger touch before update on artifacts for each row "
        "execute function suppress_redundant_updates_trigger()",
        "the trigger touch would run within the registry",
        "drop trigger touch on atlas.artifacts",
    ),
    "view": (
        f"{SMALL}; create view public.names as select id from artifacts",
        "the view public.names reads it",
        "drop view public.names -- keep its text: select pg_get_viewdef('public.names')",
    ),
    "materialized view": (
        f"{SMALL}; create materialized view names as select id from artifacts",
        "the materialized view atlas.names reads it",
        "drop materialized view atlas.names -- keep its text: select pg_get_viewdef('atlas.names')",
    ),
    "rule": (
        f"{SMALL}; create rule keep as on delete to artifacts do instead nothing",
        "the rule keep on atlas.artifacts uses it",
        "drop rule keep on atlas.artifacts",
    ),
    "rule of another table": (
        f"{SMALL}; create table other (id text);"
        "create rule copy as on insert to other do also update artifacts set artifact_type = 'x' where id = new.id",
        "the rule copy on atlas.other uses it",
        "drop rule copy on atlas.other",
    ),
    "bound function": (
        f"{SMALL}; create function public.ids() returns setof text language sql"
        " begin atomic select id from artifacts; end",
        "the body of the function public.ids() is bound to it",
        "drop routine public.ids() -- and make it anew afterwards",
    ),
    "row filter": (
        f"{SMALL}; create publication p for table artifacts where (id <> 'x')",
        "the publication p takes some of its rows or columns only",
        "alter publication p drop table atlas.artifacts -- and add it again afterwards",
    ),
    "column list": (
        f"{SMALL}; create publication p for table artifacts (id)",
        "the publication p takes some of its rows or columns only",
        "alter publication p drop table atlas.artifacts -- and add it again afterwards",
    ),
    "row type": (
        f"{SMALL}; create table public.copies (old artifacts)",
        "the column old of public.copies is of its row type",
        "alter table public.copies alter column old type jsonb using to_jsonb(old)",
    ),
    "computed column": (
        f"create table artifacts ({ID}, {TYPE}, metadata text,"
        " size integer generated always as (length(metadata)) stored)",
        "the column size is computed from one that changes its type",
        "alter table atlas.artifacts alter column size drop expression",
    ),
    "check": (
        f"create table artifacts ({ID}, {TYPE}, is_latest integer check (is_latest in (0, 1)))",
        "the constraint artifacts_is_latest_check says something of a column that changes its type",
        "alter table atlas.artifacts drop constraint artifacts_is_latest_check",
    ),
    "exclusion": (
        f"create table artifacts ({ID}, {TYPE}, created_at text, constraint once exclude (created_at with =))",
        "the constraint once says something of a column that changes its type",
        "alter table atlas.artifacts drop constraint once",
    ),
    "foreign key over a flag": (
        f"create table public.flags (flag integer primary key);"
        f"create table artifacts ({ID}, {TYPE}, is_latest integer references public.flags)",
        "the constraint artifacts_is_latest_fkey says something of a column that changes its type",
        "alter table atlas.artifacts drop constraint artifacts_is_latest_fkey",
    ),
    "foreign key to a flag": (
        f"create table artifacts ({ID}, {TYPE}, is_latest integer, unique (id, is_latest));"
        "create table public.uses (id text, flag integer,"
        " constraint of_artifact foreign key (id, flag) references artifacts (id, is_latest))",
        "the constraint of_artifact says something of a column that changes its type",
        "alter table public.uses drop constraint of_artifact",
    ),
    "index with an expression": (
        f"create table artifacts ({ID}, {TYPE}, metadata text); create index long on artifacts (length(metadata))",
        "the index atlas.long is made for the type of a column that changes it",
        "drop index atlas.long",
    ),
    "index with a condition": (
        f"create table artifacts ({ID}, {TYPE}, is_latest integer);"
        "create unique index latest on artifacts (artifact_type) where is_latest = 1",
        "the index atlas.latest is made for the type of a column that changes it",
        "drop index atlas.latest",
    ),
    "index with an operator class": (
        f"create table artifacts ({ID}, {TYPE}, metadata text);create index p on artifacts (metadata text_pattern_ops)",
        "the index atlas.p is made for the type of a column that changes it",
        "drop index atlas.p",
    ),
    "index of another method": (
        f"create table artifacts ({ID}, {TYPE}, is_latest integer); create index b on artifacts using brin (is_latest)",
        "the index atlas.b is made for the type of a column that changes it",
        "drop index atlas.b",
    ),
    "values that become equal": (
        f"create table artifacts ({ID}, {TYPE}, metadata text, created_at text unique)",
        "the index atlas.artifacts_created_at_key is made for the type of a column that changes it",
        "alter table atlas.artifacts drop constraint artifacts_created_at_key",
    ),
    "statistics": (
        f"create table artifacts ({ID}, {TYPE}, metadata text);"
        "create statistics public.s on (length(metadata)), id from artifacts",
        "the statistics s are made for the type of a column that changes it",
        "drop statistics public.s",
    ),
    "constraint that was never validated": (
        f"{SMALL}; alter table artifacts add constraint short check (length(id) < 100) not valid",
        "the constraint short was never validated",
        "alter table atlas.artifacts validate constraint short -- or drop it",
    ),
    "constraint of our name": (
        f"create table artifacts ({ID}, {TYPE}, size integer constraint artifacts_metadata_valid check (size > 0))",
        "the name artifacts_metadata_valid, which the registry uses, belongs to another constraint",
        "alter table atlas.artifacts rename constraint artifacts_metadata_valid to legacy_artifacts_metadata_valid",
    ),
}


@pytest.mark.parametrize("case", REMEDIED)
def test_a_table_in_the_way_is_refused_with_the_statement_that_makes_it_go_through(catalogue, case):
    table, problem, remedy = REMEDIED[case]
    catalogue.run(table)
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert findings == [(problem, remedy)]
    catalogue.run(remedy)
    assert catalogue.adopt().adopted is not None


def test_a_part_of_an_inheritance_tree_is_refused(catalogue):
    catalogue.run(f"{SMALL}; create table more () inherits (artifacts)")
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert findings == [("it is part of an inheritance tree", "copy its rows into a table of its own")]


def test_a_time_without_time_zone_is_taken_for_utc_by_the_remedy(catalogue):
    catalogue.run(f"create table artifacts ({ID}, {TYPE}, created_at timestamp)")
    catalogue.run("insert into artifacts values ('m', 'model', '2024-05-01 12:00')")
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    catalogue.run(f"set timezone = 'Asia/Tokyo'; {findings[0][1]}")
    catalogue.adopt()
    assert catalogue.value("select created_at at time zone 'UTC' || '' from artifacts") == "2024-05-01 12:00:00"


def test_views_of_views_are_named_in_an_order_in_which_they_can_be_dropped(catalogue):
    catalogue.run(
        f"""
        {SMALL};
        create view a as select id from artifacts;
        create view b as select id from a;
        create view c as select a.id from a, b, artifacts;
        """
    )
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert [problem for problem, _ in findings] == [
        "the view atlas.c reads it",
        "the view atlas.b reads it",
        "the view atlas.a reads it",
    ]
    for _, remedy in findings:
        catalogue.run(remedy)
    assert catalogue.adopt().adopted is not None


# --- rows -----------------------------------------------------------------------------------------------------------

# (rows for the SQLite-like table, what is wrong with them, what to do, a statement that does it)
ROWS = {
    "JSON": (
        [
            {"id": "a", "metadata": "{"},
            {"id": "b", "metadata": '{"a": NaN}'},
            {"id": "c", "metadata": ""},
            {"id": "d", "metadata": '{"a": "\\ud83"}'},
            {"id": "e", "metadata": '{"a": 1e999999}'},
            {"id": "f", "metadata": "[" * 100_000 + "]" * 100_000},
            {"id": "good", "metadata": '{"a": "\\ud83d"}'},
        ],
        '6 rows whose metadata is no JSON that PostgreSQL can hold: "a", "b", "c", "d", "e", "f"',
        "make it valid JSON (NaN and Infinity are none), or NULL",
        "update artifacts set metadata = null where id <> 'good'",
    ),
    "flag": (
        [{"id": "a", "is_latest": 2}, {"id": "b", "is_latest": -1}, {"id": "c", "is_latest": 10}],
        '3 rows whose is_latest is neither 0 nor 1: "a", "b", "c"',
        "make it 0, 1 or NULL",
        "update artifacts set is_latest = 1",
    ),
    "time": (
        [
            {"id": "a", "created_at": "yesterday"},
            {"id": "b", "created_at": "2024-02-30"},
            {"id": "c", "created_at": "01/02/2024"},
            {"id": "d", "created_at": " 2024-01-02"},
            {"id": "e", "created_at": "infinity"},
            {"id": "f", "created_at": "1714567890"},
            {"id": "g", "created_at": "2024-01-02 25:00"},
        ],
        '7 rows whose created_at is no ISO 8601 time: "a", "b", "c", "d", "e", "f", "g"',
        "write it as 2024-05-01T12:00:00Z, or NULL",
        "update artifacts set created_at = null",
    ),
    "other time": (
        [{"id": "a", "updated_at": "now"}],
        '1 row whose updated_at is no ISO 8601 time: "a"',
        "write it as 2024-05-01T12:00:00Z, or NULL",
        "update artifacts set updated_at = null",
    ),
    "type almost": (
        [{"id": "a", "artifact_type": "Model"}, {"id": "b", "artifact_type": " model"}],
        '2 rows whose artifact_type is blank or almost \'model\': "a", "b"',
        "write 'model' for what is one, and another type for what is none",
        "update artifacts set artifact_type = 'model'",
    ),
    "type blank": (
        [{"id": "a", "artifact_type": " "}],
        "1 row whose artifact_type is blank or almost 'model': \"a\"",
        "write 'model' for what is one, and another type for what is none",
        "update artifacts set artifact_type = 'dataset'",
    ),
    "own parent": (
        [{"id": "a", "artifact_type": "dataset", "parent_version_id": "a"}],
        '1 row that are no model and whose parent_version_id is the row itself: "a"',
        "make it NULL",
        "update artifacts set parent_version_id = null",
    ),
    "own successor": (
        [{"id": "a", "artifact_type": "dataset", "superseded_by": "a"}],
        '1 row that are no model and whose superseded_by is the row itself: "a"',
        "make it NULL",
        "update artifacts set superseded_by = null",
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_that_no_column_could_hold_are_named(catalogue, case):
    rows, problem, remedy, statement = ROWS[case]
    catalogue.run(SQLITE_TABLE)
    for row in rows:
        catalogue.insert(row)
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert findings == [(problem, remedy)]
    catalogue.run(statement)
    assert catalogue.adopt().adopted.rows == len(rows)


def test_rows_without_a_type_are_named(catalogue):
    catalogue.run(f"create table artifacts ({ID}, artifact_type text); insert into artifacts values ('a')")
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert findings == [('1 row without an artifact_type: "a"', "say what each of them is")]


def test_a_number_beyond_32_bits_is_named(catalogue):
    catalogue.run(f"create table artifacts ({ID}, {TYPE}, version_number bigint)")
    catalogue.run("insert into artifacts values ('a', 'model', 2147483648), ('b', 'model', 2147483647)")
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert findings == [('1 row whose version_number is beyond a 32-bit integer: "a"', "number them lower")]


def test_documents_of_type_json_are_looked_at_too(catalogue):
    catalogue.run(f"create table artifacts ({ID}, {TYPE}, metadata json)")
    catalogue.run("""insert into artifacts values ('a', 'model', '{"a": 1e999999}')""")
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert findings == [
        (
            '1 row whose metadata is no JSON that PostgreSQL can hold: "a"',
            "make it valid JSON (NaN and Infinity are none), or NULL",
        )
    ]


def test_of_many_rows_ten_are_named_and_their_ids_cut_short(catalogue):
    catalogue.run(SQLITE_TABLE)
    catalogue.run(
        "insert into artifacts (id, artifact_type, is_latest)"
        " select repeat('x', 63) || chr(64 + n) || e'\\n', 'model', 2 from generate_series(1, 11) as n"
    )
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    named = ", ".join(f'"{"x" * 63}{letter}"' for letter in "ABCDEFGHIJ")
    assert findings == [(f"11 rows whose is_latest is neither 0 nor 1: {named} …", "make it 0, 1 or NULL")]


def test_everything_is_listed_at_once_rows_too(catalogue):
    catalogue.run(POSTGRES_TABLE)
    catalogue.run(
        """
        alter table artifacts
        alter column metadata drop default, alter column metadata type text, add column name text,
        alter column is_latest drop default, alter column is_latest type integer using 5;
        alter table artifacts add column origin_type text;
        insert into artifacts (id, artifact_type, title, metadata, is_latest) values ('a', 'model', '', 'x', 5);
        create view v as select 1 from artifacts;
        """
    )
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert [problem for problem, _ in findings] == [
        "the registry keeps a column name of its own",
        "the view atlas.v reads it",
        '1 row whose metadata is no JSON that PostgreSQL can hold: "a"',
        '1 row whose is_latest is neither 0 nor 1: "a"',
    ]


def test_a_name_with_a_line_break_stays_on_one_line(catalogue):
    catalogue.run(f'{SMALL}; create view "a\nb\u2028c" as select id from artifacts')
    with refused_unchanged(catalogue) as findings:
        catalogue.adopt()
    assert [problem for problem, _ in findings] == ['the view atlas."a b\u2028c" reads it']


def test_an_error_that_no_row_explains_is_shown_as_it_is(catalogue):
    catalogue.run(f"create table artifacts ({ID}, {TYPE}, title varchar(9), size integer)")
    catalogue.run("insert into artifacts values ('a', 'model', 'x', 0)")
    catalogue.run("create index odd on artifacts ((title::text || (1 / nullif(size, 0))::text))")
    assert catalogue.adopt().adopted.rows == 1


# --- names that are taken ------------------------------------------------------------------------------------------


def test_an_index_of_our_name_is_refused_before_anything_is_made(catalogue):
    catalogue.run(f"{SMALL}; create table legacy_model_versions (base text)")
    catalogue.run(
        "create index idx_model_versions_base on legacy_model_versions (base); create index artifacts_one_latest"
        " on artifacts (artifact_type)"
    )
    assert catalogue.preflight_findings() == [
        (
            'the index "atlas"."artifacts_one_latest" has a name that the registry uses',
            'alter index "atlas"."artifacts_one_latest" rename to "legacy_artifacts_one_latest"',
        ),
        (
            'the index "atlas"."idx_model_versions_base" has a name that the registry uses',
            'alter index "atlas"."idx_model_versions_base" rename to "legacy_idx_model_versions_base"',
        ),
    ]
    for _, remedy in catalogue.preflight_findings():
        catalogue.run(remedy)
    assert catalogue.adopt().adopted is not None


def test_the_model_versions_of_the_original_ddl_make_way(catalogue):
    catalogue.run(SQLITE_TABLE)
    catalogue.run(
        """
        create table model_versions (
            artifact_id text primary key references artifacts (id), base_model_id text, trained_by text,
            promotion_state text
        );
        create index idx_model_versions_base on model_versions (base_model_id);
        create index idx_model_versions_trained_by on model_versions (trained_by);
        create index idx_model_versions_promotion on model_versions (promotion_state);
        """
    )
    findings = catalogue.preflight_findings()
    assert [problem for problem, _ in findings] == [
        '"atlas"."model_versions" was made by the original SQLite-style DDL, not by these migrations',
        'the index "atlas"."idx_model_versions_base" has a name that the registry uses',
        'the index "atlas"."idx_model_versions_promotion" has a name that the registry uses',
        'the index "atlas"."idx_model_versions_trained_by" has a name that the registry uses',
        'the index "atlas"."model_versions_pkey" has a name that the registry uses',
    ]
    for _, remedy in findings:
        catalogue.run(remedy)
    assert catalogue.adopt().adopted is not None
    assert catalogue.value("select count(*) from legacy_model_versions") == 0


def test_a_primary_key_that_is_not_the_tables_own_gives_up_its_name(catalogue):
    catalogue.run(f"create table artifacts (id text constraint pk primary key, {TYPE})")
    catalogue.run("create table other (id text constraint artifacts_pkey primary key)")
    assert catalogue.preflight_findings() == [
        (
            'the index "atlas"."artifacts_pkey" has a name that the registry uses',
            'alter index "atlas"."artifacts_pkey" rename to "legacy_artifacts_pkey"',
        )
    ]


def test_the_preflight_knows_every_name_that_a_deploy_uses(conn):
    query = """
        select c.relname
        from pg_class as c
        where c.relnamespace = 'atlas'::regnamespace and c.relkind <> 't' and c.relname not like 'atlas\\_%'
        order by c.relname collate "C"
    """
    assert [row[0] for row in conn.execute(query)] == list(OUR_NAMES)


def test_the_first_migration_knows_every_name_of_a_constraint_that_a_deploy_adds(conn):
    query = """
        select k.conname from pg_constraint as k
        where k.conrelid = 'artifacts'::regclass and k.contype <> 't' order by 1
    """
    text = (packaged_folder() / "migrations" / "0001_artifacts.sql").read_text()
    listed = text.partition("k.conname = any(array[")[2].partition("])")[0]
    assert listed.replace("'", "").replace(",", " ").split() == [row[0] for row in conn.execute(query)]
