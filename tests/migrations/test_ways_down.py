"""The ways down as docs/migrations.md gives them: each leads down, and the next deploy leads up to the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import psycopg
import pytest

from atlas_models.deployment_files import packaged_folder
from atlas_models.migration_runner import _LOCK_KEY, migrate, verify
from factories import internal_metadata

PAGE = packaged_folder() / "docs" / "migrations.md"
STEPS = [
    "The code",
    "0006_search",
    "0005_governance",
    "0004_backfill",
    "0003_backfill_rules",
    "0002_model_versions",
    "0001_artifacts",
]
MIGRATIONS = tuple(STEPS[:0:-1])

FINGERPRINT = {
    "columns": """
        select
            c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            pg_get_expr(d.adbin, d.adrelid), a.attacl::text
        from pg_attribute as a
        inner join pg_class as c on a.attrelid = c.oid
        left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
        where c.relnamespace = 'atlas'::regnamespace and c.relkind <> 'i' and a.attnum > 0
    """,
    "relations": """
        select c.relname, c.relkind::text, c.relowner::regrole::text, c.relacl::text, c.reloptions
        from pg_class as c where c.relnamespace = 'atlas'::regnamespace
    """,
    "constraints": """
        select k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid), k.convalidated, k.condeferred
        from pg_constraint as k where k.connamespace = 'atlas'::regnamespace
    """,
    "indexes": """
        select i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid
        from pg_index as i
        inner join pg_class as c on i.indexrelid = c.oid
        where c.relnamespace = 'atlas'::regnamespace
    """,
    "triggers": """
        select c.relname, pg_get_triggerdef(t.oid), t.tgenabled::text
        from pg_trigger as t
        inner join pg_class as c on t.tgrelid = c.oid
        where c.relnamespace = 'atlas'::regnamespace and not t.tgisinternal
    """,
    "functions": """
        select
            p.oid::regprocedure::text, md5(pg_get_functiondef(p.oid)), p.proowner::regrole::text, p.proacl::text
        from pg_proc as p where p.pronamespace = 'atlas'::regnamespace
    """,
    "views": "select viewname, definition from pg_views where schemaname = 'atlas'",
    "types": """
        select t.typname, t.typowner::regrole::text, t.typacl::text
        from pg_type as t where t.typnamespace = 'atlas'::regnamespace
    """,
    "comments": """
        select o.type, o.identity, d.description
        from pg_description as d
        cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) as o
        where o.schema = 'atlas' or o.identity like '%%atlas.%%'
    """,
    "default privileges": "select defaclrole::regrole::text, defaclobjtype::text, defaclacl::text from pg_default_acl",
    "schema": "select nspowner::regrole::text, nspacl::text from pg_namespace where nspname = 'atlas'",
    "ledger": "select number, name, sha256 from atlas_migrations",
}


def blocks(heading: str) -> str:
    """The SQL under a heading of the page."""
    section = re.search(rf"^### {re.escape(heading)}\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert section, f"docs/migrations.md has no section {heading}"
    found = re.findall(r"^```sql\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)
    assert found, f"the section {heading} has no SQL"
    return "\n".join(found)


def go_down(conn: psycopg.Connection, steps: list[str]) -> None:
    with conn.transaction():
        for heading in ["The opening", *steps]:
            conn.execute(blocks(heading))


def fingerprint(conn: psycopg.Connection) -> dict[str, list[str]]:
    return {
        name: sorted(repr(row) for row in conn.execute(query, []).fetchall()) for name, query in FINGERPRINT.items()
    }


def objects(conn: psycopg.Connection) -> list[str]:
    """Whatever depends on the schema by standing in it, without what belongs to a table."""
    query = """
        select o.type || ' ' || replace(o.identity, 'atlas.', '')
        from pg_depend as d
        cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) as o
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = 'atlas'::regnamespace and d.deptype = 'n'
        order by 1
    """
    return [row[0] for row in conn.execute(query).fetchall()]


@pytest.fixture
def deployed(database_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection that has a search_path of its own making, like the one of somebody who runs psql."""
    with psycopg.connect(database_url, autocommit=True, options="-c search_path=atlas,public") as conn:
        yield conn


LEDGER = [
    "sequence atlas_deployments_id_seq",
    "table atlas_adoption",
    "table atlas_deployments",
    "table atlas_migrations",
]


def test_every_migration_has_a_way_down_and_they_stand_from_the_last_to_the_first():
    migrations = [path.stem for path in sorted((packaged_folder() / "migrations").glob("*.sql"))]
    headings = re.findall(r"^### (\d{4}_\w+)$", PAGE.read_text(), re.MULTILINE)
    assert headings == migrations[::-1] == STEPS[1:]


@pytest.mark.parametrize("heading", STEPS)
def test_a_way_down_takes_nothing_along_that_it_does_not_name(heading):
    assert not re.search(r"\bcascade\b|\bif exists\b", blocks(heading), re.IGNORECASE)


@pytest.mark.parametrize("depth", range(1, len(STEPS) + 1), ids=STEPS)
def test_after_a_way_down_the_next_deploy_makes_the_same_database_again(deployed, database_url, depth):
    before = fingerprint(deployed)
    go_down(deployed, STEPS[:depth])
    assert fingerprint(deployed) != before
    report = migrate(database_url)
    assert report.code_deployed
    assert report.applied == MIGRATIONS[len(STEPS) - depth :]
    assert fingerprint(deployed) == before


def test_where_0005_finds_models_the_history_begins_with_one_event_of_each(deployed, database_url):
    for artifact_id in ("v", "w"):
        register = "select register_model('m', %s, artifact_id => %s)"
        deployed.execute(register, [json.dumps(internal_metadata()), artifact_id])
    deployed.execute("select promote_model('v')")
    go_down(deployed, STEPS[:3])
    assert deployed.execute("select to_regclass('atlas.model_events') is null").fetchone() == (True,)
    with pytest.raises(psycopg.errors.DatabaseError, match="cannot be removed"):
        deployed.execute("delete from artifacts where id = 'w'")
    migrate(database_url)
    query = "select action, artifact_id, summary from model_history('m')"
    assert deployed.execute(query).fetchall() == [
        ("adopted", "v", "postgres adopted version 1, promoted"),
        ("adopted", "w", "postgres adopted version 2"),
    ]
    in_service = "select artifact_id, known, note from promoted_at('m')"
    assert deployed.execute(in_service).fetchall() == [("v", True, "in service when the history began")]
    before = "select artifact_id, known, left(note, 14) from promoted_at('m', now() - interval '1 h')"
    assert deployed.execute(before).fetchall() == [(None, False, "unknown before")]
    assert deployed.execute("select latest from delete_model('w', 'a trial')").fetchone() == ("v",)


def test_without_0003_the_models_stand_as_they_were(deployed):
    deployed.execute("select register_model('m', %s)", [json.dumps(internal_metadata())])
    go_down(deployed, STEPS[:5])
    assert deployed.execute("select to_regclass('atlas.backfill_rules') is null").fetchone() == (True,)
    assert deployed.execute("select model_name, promotion_state from model_versions").fetchall() == [("m", "candidate")]


def test_without_0002_the_artifacts_stand_alone(deployed):
    go_down(deployed, STEPS[:6])
    assert objects(deployed) == [
        "function current_metadata_schema_version()",
        "function explain_metadata()",
        "function guard_artifact_update()",
        "function has_bounded_numbers(pg_catalog.jsonb)",
        "function is_bounded_metadata(pg_catalog.text,integer,pg_catalog.jsonb)",
        "function is_complete_artifact(pg_catalog.text,integer,pg_catalog.text,pg_catalog.text,integer,boolean,"
        "pg_catalog.text,pg_catalog.text,timestamp with time zone,timestamp with time zone)",
        "function is_model_name(pg_catalog.text)",
        "function is_valid_metadata(pg_catalog.text,integer,pg_catalog.jsonb)",
        "function needs_explanation(pg_catalog.text,integer,pg_catalog.jsonb)",
        "function refuse_removal()",
        "function refuse_rewriting()",
        "function refuse_unbounded_number()",
        "function rows_are_complete()",
        *LEDGER[:1],
        "table artifacts",
        "table artifacts_original",
        *LEDGER[1:],
    ]
    assert deployed.execute("select name from atlas_migrations").fetchall() == [("0001_artifacts",)]


def test_without_0002_invalid_metadata_is_still_refused(deployed):
    go_down(deployed, STEPS[:6])
    with pytest.raises(psycopg.errors.CheckViolation):
        deployed.execute(
            """
            insert into artifacts (id, artifact_type, name, version_number, metadata_schema_version, metadata)
            values ('v', 'model', 'm', 1, 1, '{}')
            """
        )


def test_without_0001_nothing_is_left_but_the_ledger_the_extension_and_the_roles(deployed):
    go_down(deployed, STEPS)
    assert objects(deployed) == LEDGER
    assert deployed.execute("select count(*) from atlas_migrations").fetchone() == (0,)
    assert deployed.execute("select count(*) from pg_default_acl").fetchone() == (0,)
    query = "select has_schema_privilege(%s, 'atlas', %s)"
    assert deployed.execute(query, ["public", "usage"]).fetchone() == (False,)
    assert deployed.execute(query, ["atlas_owner", "create"]).fetchone() == (False,)
    query = "select rolname from pg_roles where rolname like 'atlas\\_%' order by rolname"
    assert [row[0] for row in deployed.execute(query)] == [
        "atlas_owner",
        "atlas_reader",
        "atlas_registrar",
        "atlas_reviewer",
        "atlas_steward",
    ]
    assert deployed.execute("select count(*) from pg_extension where extname = 'plpython3u'").fetchone() == (1,)


def test_what_stays_can_be_dropped_when_nothing_else_needs_it(deployed):
    go_down(deployed, STEPS)
    statements = blocks("What stays")
    # The roles serve the other databases of this server, too.
    kept = "drop role atlas_registrar, atlas_reviewer, atlas_steward, atlas_reader, atlas_owner;\n"
    assert statements.endswith(kept)
    deployed.execute(statements.removesuffix(kept))
    assert deployed.execute("select to_regnamespace('atlas') is null").fetchone() == (True,)
    query = """
        select count(*)
        from pg_shdepend as d
        inner join pg_database as b on d.dbid = b.oid
        where b.datname = current_database() and d.refobjid in (select oid from pg_roles where rolname like 'atlas\\_%')
    """
    assert deployed.execute(query).fetchone() == (0,)


def test_the_history_of_deploys_survives_and_tells_that_the_code_was_taken_away(deployed, database_url):
    go_down(deployed, STEPS)
    migrate(database_url)
    assert verify(database_url) == []
    digests = [row[0] for row in deployed.execute("select digest from atlas_deployments order by id")]
    assert digests == [digests[0], "0" * 64, digests[0]]


def test_a_way_down_with_data_loses_it(deployed, database_url):
    deployed.execute("select register_model('m', %s)", [json.dumps(internal_metadata())])
    go_down(deployed, STEPS[:6])
    assert deployed.execute("select count(*) from artifacts").fetchone() == (1,)
    go_down(deployed, STEPS[6:])
    migrate(database_url)
    for table in ("artifacts", "model_versions", "registered_models"):
        assert deployed.execute(f"select count(*) from {table}").fetchone() == (0,)
    assert "A way down **loses what was stored**" in PAGE.read_text()


def test_a_way_down_that_meets_an_object_of_somebody_elses_changes_nothing(deployed):
    deployed.execute("create view public.report as select name from atlas.models")
    before = fingerprint(deployed)
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        go_down(deployed, STEPS)
    assert fingerprint(deployed) == before


def test_a_way_down_refuses_while_a_deploy_is_running(deployed, connect):
    connect().execute("select pg_advisory_lock(%s)", [_LOCK_KEY])
    with pytest.raises(psycopg.errors.RaiseException, match="a deploy of this database is running"):
        go_down(deployed, STEPS)
