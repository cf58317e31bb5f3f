"""What `atlas migrate` prints and exits with; each run is a process of its own, as a user would start it."""

from __future__ import annotations

import subprocess

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import legacy_models
from atlas_models.connections import connection_parameters, describe
from atlas_models.migration_errors import DatabaseUnreachableError
from commands import as_url, atlas

SECRET = "s3cret/pass"


def assert_one_clear_error(result: subprocess.CompletedProcess[str]) -> None:
    lines = result.stderr.splitlines()
    assert result.returncode == 1
    assert len(lines) == 2, result.stderr
    assert lines[0].startswith("atlas: ")
    assert lines[1].startswith("  hint: ")
    assert SECRET not in result.stderr + result.stdout


def test_an_empty_database_becomes_a_registry_and_the_second_run_has_nothing_to_do(empty_database):
    first = atlas("migrate", as_url(empty_database))
    assert first.returncode == 0, first.stderr
    assert "  applied   0001_artifacts\n" in first.stdout
    second = atlas("migrate", as_url(empty_database))
    assert second.returncode == 0
    assert second.stdout.startswith("Nothing to do: schema atlas is up to date.\n")


def test_the_url_is_taken_from_the_environment(empty_database):
    result = atlas("migrate", "--status", DATABASE_URL=as_url(empty_database))
    assert (result.returncode, result.stdout.splitlines()[0]) == (0, "pending  0001_artifacts")


def test_the_schema_is_taken_from_the_environment(database_url):
    assert atlas("migrate", "--check", as_url(database_url)).returncode == 0
    assert atlas("migrate", "--check", as_url(database_url), ATLAS_SCHEMA="other").returncode == 1


def test_check_exits_with_one_while_anything_is_pending(empty_database, database_url):
    pending = atlas("migrate", "--check", as_url(empty_database))
    assert (pending.returncode, pending.stderr) == (1, "")
    assert atlas("migrate", "--check", as_url(database_url)).returncode == 0


def test_a_dry_run_changes_nothing(empty_database):
    result = atlas("migrate", "--dry-run", as_url(empty_database))
    assert result.stdout.startswith("Dry run, rolled back.")
    assert atlas("migrate", "--check", as_url(empty_database)).returncode == 1


def test_the_printed_commands_register_a_model_and_refuse_one(database_url):
    if "password" in conninfo_to_dict(database_url):
        pytest.skip("a given server's password is masked in the printed commands")
    printed = atlas("migrate", as_url(database_url)).stdout
    accepted, refused = printed.split("\n\n  psql ")[1:]
    works = subprocess.run(["sh", "-c", "psql " + accepted.split("\n\n")[0]], capture_output=True, text=True)
    assert works.returncode == 0, works.stderr
    assert "model-" in works.stdout
    fails = subprocess.run(["sh", "-c", "psql " + refused], capture_output=True, text=True)
    assert fails.returncode == 1
    for pointer in ("/framework: ", "/parameter_count: ", "/evaluation_dataset: "):
        assert pointer in fails.stderr


def test_the_printed_commands_do_not_repeat_a_password_of_the_users(database_url):
    url = as_url(database_url).replace("@", ":from-the-user@", 1)
    if "password" in conninfo_to_dict(database_url):
        pytest.skip("the given server has a password of its own")
    result = atlas("migrate", DATABASE_URL=url)
    assert result.returncode == 0
    assert "from-the-user" not in result.stdout
    assert '  psql "$DATABASE_URL" ' in result.stdout


def test_after_an_adoption_it_says_how_to_go_on(empty_database):
    legacy_models.lay_down(empty_database)
    url = as_url(empty_database)
    by_environment = atlas("migrate", DATABASE_URL=url).stdout
    assert by_environment.endswith("\nSee what would become of the legacy models (5):\n\n  atlas backfill --dry-run\n")
    assert atlas("backfill", DATABASE_URL=url).returncode == 0
    assert atlas("migrate", url).stdout.endswith(
        f'\nSee what waits for a person (3 models):\n\n  atlas review --list --url "{url}"\n'
    )


# --- wrong URLs and unreachable servers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "mysql://user@host/db",
        f"postgresql://user:{SECRET}@127.0.0.1:5432/db",
        f"postgresql://user:x@127.0.0.1:5432/db?pasword={SECRET}",
        "postgresql://user@127.0.0.1:port/db",
    ],
)
def test_a_wrong_url_is_one_line_and_a_hint(url):
    assert_one_clear_error(atlas("migrate", url))


def test_a_server_that_is_down_is_one_line_and_a_hint():
    result = atlas("migrate", "postgresql://user:hush-hush@127.0.0.1:1/db")
    assert_one_clear_error(result)
    assert result.stderr.startswith("atlas: cannot connect to postgresql://user:***@127.0.0.1:1/db: Connection refused")
    assert "hush-hush" not in result.stderr


def test_an_unknown_database_is_one_line_and_a_hint(server_url):
    url = as_url(server_url).rpartition("/")[0] + "/no_such_database"
    result = atlas("migrate", url)
    assert_one_clear_error(result)
    assert 'database "no_such_database" does not exist' in result.stderr


def test_an_unknown_user_is_one_line_and_a_hint(server_url):
    result = atlas("migrate", as_url(server_url).replace("//postgres", "//no_such_user"))
    assert_one_clear_error(result)


def test_a_part_of_a_password_that_ended_up_in_the_host_is_not_shown():
    result = atlas("migrate", "postgresql://user:hush@hush@localhost:1/db")
    assert_one_clear_error(result)
    assert "hush" not in result.stderr


def test_a_missing_preflight_requirement_is_listed_with_what_to_do(empty_database):
    with psycopg.connect(empty_database) as conn:
        conn.execute("create table registered_models (name text, creation_time bigint)")
    result = atlas("migrate", "--schema", "public", as_url(empty_database))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "atlas: the server is not ready; nothing was changed",
        '  - "public"."registered_models" looks like MLflow\'s model registry',
        "    do: choose another schema for Atlas: ATLAS_SCHEMA=… or --schema …",
    ]


def test_a_wrong_option_is_a_usage_error():
    assert atlas("migrate", "--no-such-option").returncode == 2


def test_the_help_documents_the_exit_codes():
    for command in ([], ["migrate"], ["local"]):
        assert "Exit codes:\n" in atlas(*command, "--help").stdout


@pytest.mark.parametrize(
    ("conninfo", "shown"),
    [
        ("postgresql://me:pw@db.example:5433/x", "postgresql://me:***@db.example:5433/x"),
        ("host=/run/pg dbname=x user=me", "postgresql://me@%2Frun%2Fpg/x"),
        ("postgresql:///x", "postgresql:///x"),
        ("postgresql://me:p%40w@h/x?sslmode=require", "postgresql://me:***@h/x"),
        ("postgresql://me@one:5433,two/x?target_session_attrs=any", "postgresql://me@one:5433,two/x"),
        ("host=one,two port=5433 dbname=x", "postgresql://one:5433,two:5433/x"),
    ],
)
def test_a_url_is_shown_without_its_password(conninfo, shown):
    assert describe(conninfo) == shown


def test_a_url_that_cannot_be_read_is_not_quoted():
    with pytest.raises(DatabaseUnreachableError) as caught:
        connection_parameters("postgresql://user:p@ss/word@host/db")
    assert "word" not in str(caught.value).replace("password", "")
