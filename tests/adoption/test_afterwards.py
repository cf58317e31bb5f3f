"""A database whose table was taken over is a registry like any other: the same objects, the same functions, dumps."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import psycopg
import pytest

from atlas_models.migration_runner import migrate
from atlas_models.server_programs import find_or_install
from factories import Registered, external_metadata, internal_metadata, meet_policies, register, register_many
from old_catalogues import POSTGRES_TABLE, SMALL_TABLE, SQLITE_TABLE
from refusals import refused

LEGACY = """
    insert into artifacts (id, artifact_type, title, metadata, parent_version_id, is_latest) values
        ('old-1', 'model', 'Risk', '{"params": "1.2M"}', 'gone', 0),
        ('old-2', 'model', 'Risk', null, 'old-1', 1),
        ('set-1', 'dataset', 'Cohort', '{"rows": 5}', null, 1)
"""

# Whatever the registry owns, by names that do not depend on the order of columns.
CATALOG = {
    "columns": """
        select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation::regcollation::text,
            a.attidentity::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid)
        from pg_attribute as a
        left join pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
        where a.attrelid = any('{artifacts,artifacts_original,model_versions,registered_models}'::regclass[])
            and a.attnum > 0 and not a.attisdropped
    """,
    "constraints": """
        select k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid), k.convalidated, k.condeferrable,
            k.condeferred
        from pg_constraint as k where k.connamespace = 'atlas'::regnamespace
    """,
    "indexes": """
        select i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisprimary, i.indisreplident
        from pg_index as i
        inner join pg_class as c on i.indexrelid = c.oid
        where c.relnamespace = 'atlas'::regnamespace
    """,
    "triggers": """
        select pg_get_triggerdef(t.oid), t.tgenabled::text
        from pg_trigger as t
        inner join pg_class as c on t.tgrelid = c.oid
        where c.relnamespace = 'atlas'::regnamespace and not t.tgisinternal
    """,
    "relations": """
        select c.relname, c.relkind::text, c.relowner::regrole::text, c.relacl::text, c.relpersistence::text,
            c.relrowsecurity, c.relforcerowsecurity, c.reloptions::text, c.relreplident::text
        from pg_class as c where c.relnamespace = 'atlas'::regnamespace and c.relkind <> 't'
    """,
    "functions": """
        select p.oid::regprocedure::text, p.proowner::regrole::text, p.proacl::text, md5(pg_get_functiondef(p.oid))
        from pg_proc as p where p.pronamespace = 'atlas'::regnamespace
    """,
    "views": "select viewname, definition from pg_views where schemaname = 'atlas'",
    "comments": """
        select o.type, o.identity, d.description
        from pg_description as d
        cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) as o
        where o.schema = 'atlas' or o.identity like '%atlas.%'
    """,
    "rules and policies": "select rulename from pg_rules where schemaname = 'atlas'"
    " union all select polname from pg_policy",
}


def catalog_of(conn):
    return {name: {repr(row) for row in conn.execute(query)} for name, query in CATALOG.items()}


def differences(catalogue, conn):
    """What an adopted database has and a fresh one does not, and the reverse."""
    with catalogue.connect() as other:
        adopted, fresh = catalog_of(other), catalog_of(conn)
    return {
        name: (sorted(adopted[name] - fresh[name]), sorted(fresh[name] - adopted[name]))
        for name in CATALOG
        if adopted[name] != fresh[name]
    }


@pytest.fixture
def fresh(conn):
    """A connection to a database that began as a registry, with the same search_path as that to the adopted one."""
    conn.execute("set search_path = atlas, public")
    return conn


@pytest.mark.parametrize("rows", ["", "; insert into artifacts values ('d', 'dataset')"])
def test_without_models_the_database_is_the_same_as_one_that_began_as_a_registry(catalogue, fresh, rows):
    catalogue.run(SMALL_TABLE + rows)
    catalogue.adopt()
    # PostgreSQL 17 knows one right more: MAINTAIN.
    everything = "arwdDxtm" if fresh.info.server_version >= 170000 else "arwdDxt"
    former_owner = {
        "relations": (
            [
                "('artifacts', 'r', 'atlas_owner',"
                f" '{{atlas_owner={everything}/atlas_owner,postgres=arwd/atlas_owner}}', 'p', False, False, None, 'd')"
            ],
            ["('artifacts', 'r', 'atlas_owner', None, 'p', False, False, None, 'd')"],
        )
    }
    assert differences(catalogue, fresh) == former_owner


def test_with_everything_else_it_is_the_same_but_for_what_is_kept(catalogue, fresh):
    """Kept: columns, defaults and indexes of the table's own. Open: the seal, and keys that dangle."""
    catalogue.run(SQLITE_TABLE)
    catalogue.run(
        """
        alter table artifacts owner to atlas_owner;
        alter table artifacts add column tags text[], alter column id type varchar(64) collate "C",
            alter column title type text collate "C", alter column title set not null;
        create index by_tag on artifacts using gin (tags);
        insert into artifacts (id, artifact_type, title, parent_version_id) values ('m', 'model', '', 'gone');
        """
    )
    catalogue.adopt()
    assert differences(catalogue, fresh) == {
        "columns": (
            [
                "('lifecycle_state', 'text', False, 'default', '', '', \"'active'::text\")".replace(
                    "default", '"default"'
                ),
                "('tags', 'text[]', False, '\"default\"', '', '', None)",
                "('version_number', 'integer', False, '-', '', '', '1')",
            ],
            [
                "('lifecycle_state', 'text', False, '\"default\"', '', '', None)",
                "('version_number', 'integer', False, '-', '', '', None)",
            ],
        ),
        "constraints": (
            [
                "('artifacts', 'artifacts_parent_fkey', 'FOREIGN KEY (parent_version_id) REFERENCES artifacts(id)"
                " NOT VALID', False, False, False)"
            ],
            [
                "('artifacts', 'artifacts_legacy_sealed', 'CHECK ((metadata_schema_version <> 0))',"
                " True, False, False)",
                "('artifacts', 'artifacts_parent_fkey', 'FOREIGN KEY (parent_version_id) REFERENCES artifacts(id)',"
                " True, False, False)",
            ],
        ),
        "indexes": (
            ["('artifacts', 'CREATE INDEX by_tag ON atlas.artifacts USING gin (tags)', True, False, False)"],
            [],
        ),
        "relations": (
            ["('by_tag', 'i', 'atlas_owner', None, 'p', False, False, None, 'n')"],
            [],
        ),
    }


def test_nothing_of_the_adoption_stays_behind(catalogue):
    catalogue.run(POSTGRES_TABLE)
    catalogue.adopt()
    assert catalogue.value("select count(*) from pg_proc where pronamespace::regnamespace::text like 'pg_temp%'") == 0


# --- the registry works ----------------------------------------------------------------------------------------------


@pytest.fixture(
    params=[SQLITE_TABLE, POSTGRES_TABLE.replace("references artifacts (id)", "")], ids=["sqlite", "postgres"]
)
def adopted(request, catalogue):
    """A connection to an adopted database with two legacy models, one of them dangling, and a dataset."""
    catalogue.run(request.param)
    legacy = LEGACY
    if "boolean" in request.param:
        legacy = legacy.replace(", 0)", ", false)").replace(", 1)", ", true)").replace("null, 'old-1'", "'{}', 'old-1'")
    catalogue.run(legacy)
    catalogue.adopt()
    return catalogue.connect()


def test_models_are_registered_and_promoted_beside_the_legacy_ones(adopted):
    first = register(adopted, "risk", artifact_id="r1", parent_version_id="old-2", eval_dataset_artifact_id="set-1")
    assert first == Registered("r1", 1, True)
    based = internal_metadata(base_model_id="old-1")
    many = [{"name": "risk", "metadata": based, "artifact_id": f"r{number}"} for number in (2, 3)]
    assert register_many(adopted, [*many, {"name": "zoo", "metadata": external_metadata(), "artifact_id": "z1"}]) == [
        Registered("r2", 2, True),
        Registered("r3", 3, True),
        Registered("z1", 1, True),
    ]
    meet_policies(adopted, "r1", "r2")
    for artifact_id in ("r1", "r2"):
        adopted.execute("select promote_model(%s)", [artifact_id])
    adopted.execute("select reject_model('r3')")
    assert adopted.execute(
        "select artifact_id, version_number, is_latest, promotion_state, superseded_by from models order by 1"
    ).fetchall() == [
        ("r1", 1, False, "superseded", "r2"),
        ("r2", 2, False, "promoted", None),
        ("r3", 3, True, "rejected", None),
        ("z1", 1, True, "candidate", None),
    ]
    adopted.execute("select register_artifact('dataset', 'New', artifact_id => 'set-2')")
    assert adopted.execute("select artifact_id from other_artifacts order by 1").fetchall() == [("set-1",), ("set-2",)]


def test_raw_inserts_meet_the_same_rules(adopted):
    insert = """
        insert into artifacts (id, artifact_type, name, metadata, version_number)
        values (%s, 'model', 'raw', %s, null)
    """
    for artifact_id in ("a", "b"):
        with adopted.transaction():
            adopted.execute(insert, [artifact_id, json.dumps(internal_metadata())])
            adopted.execute("insert into model_versions (artifact_id) values (%s)", [artifact_id])
    query = "select artifact_id, version_number, is_latest from models order by 1"
    assert adopted.execute(query).fetchall() == [("a", 1, False), ("b", 2, True)]
    with refused("23514", column="metadata", constraint="artifacts_metadata_valid", detail="/is_external: is required"):
        adopted.execute(insert, ["c", "{}"])


def test_old_indexes_and_other_columns_serve_on(catalogue):
    catalogue.run(POSTGRES_TABLE)
    catalogue.run(
        """
        create index by_project on artifacts (project, created_at desc);
        create unique index by_title on artifacts (lower(title)) where artifact_type = 'dataset';
        create index in_metadata on artifacts using gin (metadata jsonb_path_ops);
        create table feedback (
            artifact_id varchar(64) not null references artifacts (id) on delete cascade, stars integer
        );
        create table projects (id text primary key);
        insert into projects values ('p');
        alter table artifacts
        add constraint of_project foreign key (project) references projects (id) on update cascade;
        insert into artifacts (id, project, artifact_type, title)
        values ('d', 'p', 'dataset', 'A'), ('m', 'p', 'model', 'B');
        insert into feedback values ('d', 5), ('m', 4);
        """
    )
    catalogue.adopt()
    query = """
        select indexname from pg_indexes
        where tablename = 'artifacts' and (indexname like 'by%' or indexname like 'in\\_%') order by 1
    """
    names = [row[0] for row in catalogue.rows(query)]
    assert names == ["by_project", "by_title", "in_metadata"]
    catalogue.run("update projects set id = 'q'")
    assert catalogue.rows("select id, project from artifacts order by id") == [("d", "q"), ("m", "q")]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        catalogue.run("insert into feedback values ('nobody', 1)")
    catalogue.run("delete from artifacts where id = 'd'")
    assert catalogue.rows("select * from feedback") == [("m", 4)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        catalogue.run(
            "insert into artifacts (id, artifact_type, title) values ('x', 'dataset', 'T'), ('y', 'dataset', 't')"
        )


def test_a_collation_of_its_own_does_not_part_the_table_from_the_versions(catalogue):
    catalogue.run(
        """
        create table artifacts (
            id text collate "C" primary key, artifact_type text collate "POSIX", parent_version_id varchar collate "C"
        );
        insert into artifacts values ('m', 'model', null);
        """
    )
    catalogue.adopt()
    with catalogue.connect() as conn:
        register(conn, "x", artifact_id="x1", parent_version_id="m")
        meet_policies(conn, "x1")
        conn.execute("select promote_model('x1')")
        assert conn.execute("select artifact_id, parent_version_id from models").fetchall() == [("x1", "m")]


def test_columns_that_an_application_adds_to_itself_are_numbered_on(catalogue):
    catalogue.run(
        """
        create table artifacts (
            id text primary key, artifact_type text, number serial, other integer generated always as identity
        );
        insert into artifacts values ('a', 'model'), ('b', 'dataset');
        """
    )
    catalogue.adopt()
    with catalogue.connect() as conn:
        register(conn, "x", artifact_id="x1")
    assert catalogue.rows("select number, other from artifacts order by id") == [(1, 1), (2, 2), (3, 3)]


# --- schemas ---------------------------------------------------------------------------------------------------------


def test_the_table_is_taken_over_in_the_schema_public(catalogue):
    catalogue.run(f"drop schema atlas; set search_path = public; {SQLITE_TABLE}; {LEGACY}")
    report = migrate(catalogue.url, schema="public")
    assert (report.schema, report.adopted.rows, report.adopted.models) == ("public", 3, 2)
    with catalogue.connect() as conn:
        conn.execute("set search_path = public")
        assert register(conn, "risk", parent_version_id="old-1").version_number == 1
    assert migrate(catalogue.url, schema="public").nothing_to_do


@pytest.mark.parametrize("schema", ["The Catalogue", "select", "we%sird", 'a"b', "$do$", "ü"])
def test_schemas_with_odd_names_are_served(catalogue, schema):
    quoted = '"' + schema.replace('"', '""') + '"'
    catalogue.run(f"create schema {quoted}; set search_path = {quoted}; {SQLITE_TABLE}; {LEGACY}")
    catalogue.run(f"alter table {quoted}.artifacts add column number serial")
    report = migrate(catalogue.url, schema=schema)
    assert (report.adopted.rows, [d.rows for d in report.dangling]) == (3, [1])
    with catalogue.connect() as conn:
        conn.execute(f"set search_path = {quoted}")
        assert register(conn, "risk", parent_version_id="old-1").version_number == 1
    assert migrate(catalogue.url, schema=schema).nothing_to_do


def test_a_table_that_comes_back_after_everything_was_taken_down_is_taken_over_again(catalogue):
    catalogue.run(f"{SMALL_TABLE}; insert into artifacts values ('d', 'dataset')")
    catalogue.adopt()
    catalogue.run("delete from atlas_migrations; drop schema atlas cascade; create schema atlas")
    catalogue.run(
        "create table atlas_migrations (number integer, name text, sha256 text,"
        " applied_at timestamptz default now(), applied_by text default session_user)"
    )
    catalogue.run("create table atlas_deployments (id bigint generated always as identity, digest text)")
    catalogue.run(f"{SMALL_TABLE}; insert into artifacts values ('d', 'dataset')")
    assert catalogue.adopt().adopted.rows == 1


# --- dumps -----------------------------------------------------------------------------------------------------------


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("kind", ["plain", "custom"])
def test_a_dump_of_an_adopted_database_comes_back_whole(catalogue, new_database, tmp_path: Path, kind):
    catalogue.run(SQLITE_TABLE + ";" + LEGACY)
    catalogue.adopt()
    with catalogue.connect() as conn:
        register(conn, "risk", artifact_id="r1", parent_version_id="old-1")
        meet_policies(conn, "r1")
        conn.execute("select promote_model('r1')")
    programs = find_or_install(print)
    target, file = new_database(), str(tmp_path / "dump")
    pg_dump, pg_restore, psql = (programs.program(name) for name in ("pg_dump", "pg_restore", "psql"))
    if kind == "plain":
        run(pg_dump, "--file", file, catalogue.url)
        run(psql, "-qX", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", file, target)
    else:
        run(pg_dump, "--format=custom", "--file", file, catalogue.url)
        run(pg_restore, "--jobs=2", "--exit-on-error", "--dbname", target, file)
    restrict = ["--restrict-key=fixed"] if "--restrict-key" in run(pg_dump, "--help") else []
    assert run(pg_dump, *restrict, target) == run(pg_dump, *restrict, catalogue.url)
    report = migrate(target)
    assert report.nothing_to_do
    assert [(d.constraint, d.rows) for d in report.dangling] == [("artifacts_parent_fkey", 1)]
    with psycopg.connect(target, autocommit=True) as conn:
        conn.execute("set search_path = atlas")
        assert register(conn, "risk", parent_version_id="old-2").version_number == 2
        conn.execute("update artifacts set title = 'x' where id = 'old-1'")
        with refused(
            "MR005",
            column="metadata_schema_version",
            detail=("/metadata_schema_version: 0 marks rows that stood in the table before it was adopted"),
        ):
            conn.execute("insert into artifacts (id, artifact_type, metadata_schema_version) values ('x', 'model', 0)")
        with refused("MR008", detail="DELETE on atlas.artifacts_original would rewrite a record"):
            conn.execute("delete from artifacts_original")
