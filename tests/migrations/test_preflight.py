"""What the pre-flight says about a server or database that cannot carry the registry, before anything is changed."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from atlas_models import preflight, server_engine
from atlas_models.connections import connect
from atlas_models.migration_errors import MigrationError, PreflightError
from atlas_models.migration_runner import migrate


def findings(url: str, tree, schema: str = "atlas") -> list[str]:
    with pytest.raises(PreflightError) as caught:
        migrate(url, schema=schema, source=tree.folder)
    with psycopg.connect(url) as conn:
        ledger = sql.Identifier(schema, "atlas_migrations").as_string(conn)
        assert conn.execute("select to_regclass(%s) is null", [ledger]).fetchone()[0]
    assert all(remedy for _, remedy in caught.value.findings)
    return [problem for problem, _ in caught.value.findings]


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(statement)


def test_a_usable_server_leaves_no_trace_of_having_been_asked(empty_database):
    with connect(empty_database) as conn:
        preflight.check_server(conn, "atlas")
        assert conn.execute("select count(*) from pg_extension where extname = 'plpython3u'").fetchone() == (0,)


def test_mlflows_tables_are_recognised(empty_database, tree):
    run(
        empty_database,
        """
        create table registered_models (name text primary key, creation_time bigint, last_updated_time bigint);
        create table model_versions (name text, version integer, current_stage text, run_id text);
        """,
    )
    assert findings(empty_database, tree, schema="public") == [
        '"public"."model_versions" looks like MLflow\'s model registry',
        '"public"."registered_models" looks like MLflow\'s model registry',
    ]


def test_the_original_ddl_is_recognised(empty_database, tree):
    run(empty_database, "create table model_versions (artifact_id text primary key, promotion_state text)")
    assert findings(empty_database, tree, schema="public") == [
        '"public"."model_versions" was made by the original SQLite-style DDL, not by these migrations',
        'the index "public"."model_versions_pkey" has a name that the registry uses',
    ]


def test_a_view_of_our_name_is_not_ours(empty_database, tree):
    run(empty_database, "create view artifacts as select 'a' as id, 'model' as artifact_type")
    assert findings(empty_database, tree, schema="public") == [
        '"public"."artifacts" is no table with the columns id and artifact_type, to be taken over'
    ]


def test_a_table_of_another_kind_by_our_name_is_not_ours(empty_database, tree):
    run(empty_database, "create table artifacts (id text primary key, kind text); create table models (id text)")
    assert findings(empty_database, tree, schema="public") == [
        '"public"."artifacts" is no table with the columns id and artifact_type, to be taken over',
        '"public"."models" is not ours: the schema has no record of migrations',
    ]


def test_an_older_catalogue_elsewhere_is_asked_about_when_nobody_chose_the_schema(empty_database, tree):
    run(empty_database, "create table artifacts (id text primary key, artifact_type text)")
    with pytest.raises(PreflightError) as caught:
        migrate(empty_database, source=tree.folder, schema_is_chosen=False)
    assert caught.value.findings == (
        (
            '"public"."artifacts" looks like a table of an older catalogue',
            "to take it over: ATLAS_SCHEMA=public; to leave it alone and begin an empty registry: ATLAS_SCHEMA=atlas",
        ),
    )
    assert migrate(empty_database, source=tree.folder, schema_is_chosen=True).applied == ("0001_things",)
    tree.code("30_api/one.sql", "create or replace function one() returns integer language sql return 1")
    assert migrate(empty_database, source=tree.folder, schema_is_chosen=False).code_deployed


def test_a_schema_that_others_may_write_is_refused(server_url, empty_database, tree):
    run(server_url, "create role test_writer; create role test_owner")
    try:
        run(
            empty_database,
            "create schema shared authorization test_owner; grant create on schema shared to test_writer",
        )
        assert findings(empty_database, tree, schema="shared") == [
            "test_owner, test_writer may create objects in the schema shared, and functions that shadow the registry's"
        ]
        run(empty_database, "grant create on schema shared to public")
        assert findings(empty_database, tree, schema="shared") == [
            "everybody may create objects in the schema shared, and functions that shadow the registry's"
        ]
    finally:
        run(empty_database, "drop schema shared cascade; drop role test_writer, test_owner")


def test_mlflow_in_another_schema_is_no_hindrance(empty_database, tree):
    run(empty_database, "create table registered_models (name text, creation_time bigint)")
    assert migrate(empty_database, source=tree.folder).applied == ("0001_things",)


def test_a_user_who_is_no_superuser_is_told_so(server_url, empty_database, tree):
    run(server_url, "create role test_plain login")
    try:
        plain = make_conninfo("", **{**conninfo_to_dict(empty_database), "user": "test_plain"})
        assert findings(plain, tree) == [
            "the user 'test_plain' is no superuser, and PL/Python functions can be made by superusers only"
        ]
        migrate(empty_database, source=tree.folder)
        with pytest.raises(PreflightError, match="'test_plain' is no superuser"):
            migrate(plain, source=tree.folder)
    finally:
        run(empty_database, "drop owned by test_plain; drop role test_plain")


def test_all_that_is_missing_is_named_at_once(empty_database, tree):
    run(empty_database, "create table artifacts (id text)")
    run(empty_database, "create role test_plain login; grant usage on schema public to test_plain")
    try:
        plain = make_conninfo("", **{**conninfo_to_dict(empty_database), "user": "test_plain"})
        assert len(findings(plain, tree, schema="public")) == 2
    finally:
        run(empty_database, "drop owned by test_plain; drop role test_plain")


def test_another_encoding_than_utf8_is_refused(server_url, tree):
    name = "atlas_test_latin"
    run(server_url, f"create database {name} template template0 encoding 'LATIN1' locale 'C'")
    try:
        latin = make_conninfo("", **{**conninfo_to_dict(server_url), "dbname": name})
        assert findings(latin, tree) == ["the database's encoding is LATIN1, UTF8 is needed"]
    finally:
        run(server_url, f"drop database {name} with (force)")


def test_a_read_only_database_is_refused(empty_database, tree):
    name = conninfo_to_dict(empty_database)["dbname"]
    run(empty_database, f"alter database {name} set default_transaction_read_only = on")
    assert findings(empty_database, tree) == ["transactions are read-only here"]


@pytest.mark.slow
def test_a_server_whose_python_lacks_the_engine_is_refused(server_without_engine, tree):
    (problem,) = findings(server_without_engine, tree)
    assert problem.startswith("the server's Python cannot import jsonschema_rs (ModuleNotFoundError")


@pytest.mark.parametrize("schema", ["", "pg_mine", "information_schema", "x" * 64, "ü" * 32])
def test_a_schema_name_that_the_server_would_not_keep_is_refused(tree, schema):
    with pytest.raises(MigrationError, match="cannot be used"):
        migrate("postgresql://nobody@127.0.0.1:1/none", schema=schema, source=tree.folder)


# --- what cannot be had on the test's own server is judged from what such a server would answer ----------------------


def server(**differences) -> preflight._Server:
    usual = {
        "version": 150008,
        "is_superuser": True,
        "user": "postgres",
        "in_recovery": False,
        "read_only": False,
        "encoding": "UTF8",
        "has_plpython": True,
    }
    return preflight._Server(**{**usual, **differences})


@pytest.mark.parametrize(
    ("differences", "problem"),
    [
        ({"version": 140012}, "the server is PostgreSQL 14, 15 or newer is needed"),
        ({"in_recovery": True, "read_only": True}, "the server is a standby, which cannot be written"),
        ({"has_plpython": False}, "the server has no PL/Python"),
    ],
)
def test_an_unsuitable_server_is_one_finding(differences, problem):
    assert [finding.problem for finding in preflight._server_findings(server(**differences))] == [problem]


def test_missing_plpython_names_the_package_of_the_servers_version():
    (finding,) = preflight._server_findings(server(version=170002, has_plpython=False))
    assert "apt-get install postgresql-plpython3-17" in finding.remedy


def engine_finding(**answer) -> tuple[str, str]:
    usual = {
        "python": [3, 11],
        "path": ["/usr/lib/python311.zip", "/usr/local/lib/python3.11/dist-packages", "/usr/lib/python3/dist-packages"],
        "engine": None,
        "problem": "ModuleNotFoundError: No module named 'jsonschema_rs'",
        "config_file": "/etc/postgresql/15/main/postgresql.conf",
    }
    (finding,) = preflight._judge_engine({**usual, **answer})
    return finding.problem, finding.remedy


def test_a_missing_engine_comes_with_the_exact_commands_to_install_it():
    problem, remedy = engine_finding()
    assert problem == (
        "the server's Python cannot import jsonschema_rs (ModuleNotFoundError: No module named 'jsonschema_rs')"
    )
    assert "python3 -m pip install --target /usr/local/lib/python3.11/dist-packages 'jsonschema-rs==0.60." in remedy
    assert "PYTHONPATH = '/opt/atlas-engine' in /etc/postgresql/15/main/environment" in remedy


def test_a_cluster_that_is_not_debians_gets_no_path_of_debians():
    _, remedy = engine_finding(config_file="/srv/data/postgresql.conf")
    assert "PYTHONPATH = '/opt/atlas-engine' in the environment that starts the server and a restart" in remedy


def test_another_version_of_the_engine_is_refused():
    problem, _ = engine_finding(engine="0.33.0", problem=None)
    assert problem == "the server's Python has jsonschema-rs 0.33.0, >=0.60,<0.61 is needed"


def test_an_old_server_python_is_refused():
    problem, _ = engine_finding(python=[3, 9])
    assert problem == "the server's Python is 3.9, 3.10 or newer is needed"


@pytest.mark.parametrize(
    ("version", "supported"),
    [("0.60.0", True), ("0.60.3", True), ("0.59.9", False), ("0.61.0", False), ("1.60.0", False), ("0", False)],
)
def test_the_engines_version_is_compared_by_numbers(version, supported):
    assert server_engine.is_supported(version) is supported
