"""`atlas doctor --verify` finds whatever was altered since the deploy, and nothing where nothing was.

tampered.txt: what is done, and below it every line that tells of it; … stands for digests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from atlas_models.catalog import Difference, differences, read_catalog
from atlas_models.cli import main
from atlas_models.deployment_files import packaged_folder, read_source
from atlas_models.migration_errors import MigrationError, PreflightError
from atlas_models.migration_runner import Patience, _catalog_of_a_fresh_deploy, migrate, verify
from commands import as_url
from factories import register
from old_catalogues import POSTGRES_TABLE, SMALL_TABLE, SQLITE_TABLE, Catalogue

BLOCKS = Path(__file__).with_name("tampered.txt").read_text(encoding="utf-8").split("\n\n")
TAMPERED = {block.partition("\n")[0]: re.findall(r"^    (.*)$", block, re.MULTILINE) for block in BLOCKS}
# Roles are the server's, and other tests use them; and these are in each other's way.
ONE_BY_ONE = re.compile(
    "grant atlas_owner|alter role|revoke atlas_reader|drop table|drop view u|alter table model_events (owner|alter)|"
    "alter table artifacts_original drop"
)


def told(found: list[Difference]) -> list[str]:
    return [re.sub(r"sha256 [0-9a-f]{32}", "…", str(difference)) for difference in found]


def doctor(url: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["doctor", "--verify", "--url", as_url(url), *options], prog_name="atlas")


def builtin(conn: psycopg.Connection) -> frozenset[str]:
    rows = conn.execute("select proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace")
    return frozenset(name for (name,) in rows)


def test_the_list_has_every_kind_of_tampering():
    assert len(TAMPERED) == 62
    assert all(TAMPERED.values())


def test_what_was_altered_is_told_line_by_line_and_fails_and_other_peoples_things_are_no_difference(database_url, conn):
    # What is no difference: rows, comments, and other people's things.
    conn.execute("select register_artifact('dataset', 'Loans')")
    conn.execute("comment on table artifacts is 'ours'")
    conn.execute("create table atlas.notes (id integer primary key, note text)")
    conn.execute("create view public.report as select name from atlas.models")
    conn.execute("create function atlas.my_report() returns integer language sql as 'select 1'")
    result = doctor(database_url)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "ok     catalog: all that stands in atlas is as this version makes it"

    several = {statement: lines for statement, lines in TAMPERED.items() if not ONE_BY_ONE.match(statement)}
    conn.execute("set search_path = atlas, pg_temp")
    for statement in several:
        conn.execute(statement)
    result = doctor(database_url, "--json")
    answer = json.loads(result.stdout)
    expected = sorted(line for lines in several.values() for line in lines)
    assert (result.exit_code, answer["ok"]) == (1, False)
    found = [Difference(**difference) for difference in answer["differences"]]
    assert sorted(told(found)) == expected
    lines = [line for line in doctor(database_url).stdout.splitlines() if line.startswith("FAILED catalog: ")]
    assert [line.removeprefix("FAILED catalog: ") for line in lines] == [str(difference) for difference in found]


@pytest.mark.long
@pytest.mark.parametrize("statement", TAMPERED)
def test_each_is_found_by_itself_and_nothing_else_is(fresh, statement):
    conn, expected, functions = fresh
    with conn.transaction(force_rollback=True):
        conn.execute("set local search_path = atlas, pg_temp")
        conn.execute(statement)
        found = read_catalog(conn, "atlas")
        compared = differences(
            expected, found, taken_over={}, has_legacy_rows=False, dangling=frozenset(), builtin=functions
        )
    assert told(compared) == TAMPERED[statement]


@pytest.fixture(scope="module")
def fresh(template_database: str, new_database) -> Iterator[tuple]:
    """A connection to a registry, and what a fresh deploy makes there."""
    with psycopg.connect(new_database(template_database), autocommit=True) as conn:
        with conn.transaction(force_rollback=True):
            source = read_source(packaged_folder())
            expected = _catalog_of_a_fresh_deploy(conn, "atlas", source, Patience())
        yield conn, expected, builtin(conn)


def test_nothing_of_the_comparison_stays_and_no_writer_waits(database_url, conn, connect):
    count = """
        select (select count(*) from pg_namespace), (select count(*) from pg_class), (select count(*) from pg_proc),
            (select count(*) from pg_default_acl), (select count(*) from atlas.atlas_deployments)
    """
    before = conn.execute(count).fetchone()
    with connect(autocommit=False) as writer:  # holds its locks all the while, and would be waited for
        register(writer, "m")
        writer.execute("lock table artifacts, model_versions, registered_models in row exclusive mode")
        assert verify(database_url) == []
    assert conn.execute(count).fetchone() == before


@pytest.mark.long
def test_a_schema_of_any_name_is_compared(empty_database):
    schema = 'Our "50 %" models'
    migrate(empty_database, schema=schema)
    assert verify(empty_database, schema=schema) == []
    with psycopg.connect(empty_database) as conn:
        conn.execute("""alter table "Our ""50 %"" models".artifacts disable trigger artifacts_70_require_version""")
    assert (
        told(verify(empty_database, schema=schema))
        == TAMPERED["alter table artifacts disable trigger artifacts_70_require_version"]
    )


OWN_PARTS = """
create role {role};
grant select, update on artifacts to {role};
grant insert on artifacts to public;
alter table artifacts add column score numeric default 1 check (score > 0);
alter table artifacts alter created_at set default {now};
create index by_title on artifacts (title);
insert into artifacts (id, artifact_type, parent_version_id) values ('a', '{kind}', {parent})
"""


@pytest.mark.parametrize(
    ("table", "now", "kind", "parent"),
    [
        (SQLITE_TABLE, "'2024-05-01'", "model", "'never-was'"),
        pytest.param(
            POSTGRES_TABLE.replace("title varchar(200) not null", "title varchar(200)").replace(
                " references artifacts (id)", ""
            ),
            "now()",
            "dataset",
            "null",
            marks=pytest.mark.long,
        ),
        pytest.param(
            SMALL_TABLE.replace(")", ", created_at text, parent_version_id text, title text)"),
            "null",
            "model",
            "null",
            marks=pytest.mark.long,
        ),
    ],
    ids=["sqlite", "postgresql", "small"],
)
def test_what_a_table_brought_along_when_it_was_taken_over_is_no_difference_and_what_came_later_is(
    empty_database, table, now, kind, parent
):
    role = f"app_{conninfo_to_dict(empty_database)['dbname']}"
    catalogue = Catalogue(empty_database)
    catalogue.run(table)
    catalogue.run(OWN_PARTS.format(role=role, now=now, kind=kind, parent=parent))
    catalogue.adopt()
    try:
        assert verify(empty_database) == []
        catalogue.run("call backfill_model_versions()")
        catalogue.run(f"drop index by_title; revoke select on artifacts from {role}")
        assert verify(empty_database) == []
        catalogue.run(
            f"""
            alter table artifacts alter created_at set default 'epoch', alter score drop default, drop constraint
                artifacts_parent_fkey, disable trigger artifacts_20_refuse_truncate;
            grant delete on artifacts to {role};
            create index by_score on artifacts (score)
            """
        )
        lines = [
            "column created_at of artifacts: default: ",
            "column score of artifacts: default: expected 1, found nothing",
            "constraint artifacts_parent_fkey on artifacts: expected FOREIGN KEY ",
            "index by_score on artifacts: expected nothing, found CREATE INDEX ",
            f"table artifacts: granted to {role}: expected ",
            "trigger artifacts_20_refuse_truncate on artifacts: fires: expected always, found never (disabled)",
        ]
        found = told(verify(empty_database))
        assert [line for line, begin in zip(found, lines, strict=True) if not line.startswith(begin)] == []
    finally:
        catalogue.run(f"drop owned by {role}; drop role {role}")
        catalogue.close()


@pytest.mark.long
def test_a_seal_that_was_broken_is_found_as_soon_as_no_legacy_row_waits(legacy_url):
    assert verify(legacy_url) == []
    with psycopg.connect(legacy_url, autocommit=True) as conn:
        conn.execute("alter table atlas.artifacts disable trigger all")
        conn.execute("delete from atlas.artifacts where metadata_schema_version = 0")
        conn.execute("alter table atlas.artifacts enable trigger all")
        left_otherwise = {
            line.partition(" on ")[0] for line in told(verify(legacy_url)) if line.endswith("on the origin only")
        }
        for trigger in left_otherwise:
            conn.execute(f"alter table atlas.artifacts enable always {trigger}")
        assert told(verify(legacy_url)) == TAMPERED["alter table artifacts drop constraint artifacts_legacy_sealed"]
        conn.execute("select atlas.seal_legacy()")
        assert verify(legacy_url) == []


def test_who_cannot_compare_is_told_why(run_doctor_as, database_url, conn):
    result = run_doctor_as("test_reader")
    assert result.exit_code == 1
    assert "FAILED catalog: cannot be compared: the user 'test_reader' is no superuser, and PL/Python" in result.stdout
    conn.execute("insert into atlas.atlas_deployments (digest) values (repeat('0', 64))")
    with pytest.raises(MigrationError, match=r"^what stands in the schema atlas was not deployed by this"):
        verify(database_url)
    conn.execute(f"alter database {conn.info.dbname} set default_transaction_read_only = on")
    with pytest.raises(PreflightError, match="transactions are read-only here"):
        verify(database_url)


@pytest.fixture
def run_doctor_as(database_url):
    return lambda user: doctor(make_conninfo(database_url, user=user))
