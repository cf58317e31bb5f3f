"""What `atlas status` counts, `doctor` finds and `validate` refuses; which database is meant; the exit codes of all."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from atlas_models.cli import main
from commands import PROGRAM, as_url, environment_with
from factories import internal_metadata
from waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


def checks(result):
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def test_status_counts_versions_by_state_and_origin(run, shelf):
    result = run("status", DATABASE_URL=shelf)
    assert (result.exit_code, result.stdout.splitlines()[1:]) == (
        0,
        ["3 models, 1 other artifact", "promoted\t1\t0", "candidate\t1\t1", "superseded\t1\t0", "rejected\t1\t0"],
    )
    found = json.loads(run("status", "--json", DATABASE_URL=shelf).stdout)
    assert found["versions"]["internal"] == {"promoted": 1, "candidate": 1, "superseded": 1, "rejected": 1}
    assert (found["models"], found["waiting"], found["sealed"]) == (3, 0, True)


def test_status_says_what_waits(run, backfilled_url):
    result = run("status", DATABASE_URL=as_url(backfilled_url))
    assert re.search(r"^\d+ legacy models wait for a person: atlas review$", result.stdout, re.MULTILINE)
    assert "not sealed" in result.stdout
    doctor = run("doctor", "--json", DATABASE_URL=as_url(backfilled_url))
    assert (doctor.exit_code, checks(doctor)["legacy rows"]["result"]) == (0, "warning")


def test_the_doctor_finds_nothing_wrong_with_a_registry_in_order(run, shelf):
    result = run("doctor", DATABASE_URL=shelf)
    assert (result.exit_code, {line[:2] for line in result.stdout.splitlines()}) == (0, {"ok"})
    found = checks(run("doctor", "--json", DATABASE_URL=shelf))
    looked_at = ["database", "server", "PL/Python", "schema", "validation", "functions", "role", "legacy rows"]
    assert list(found) == looked_at
    assert found["database"]["found"].endswith("named by DATABASE_URL")


def test_the_doctor_finds_functions_that_run_with_the_rights_of_somebody_else(run, database_url):
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("alter function atlas.promoted_at(text, timestamptz) owner to session_user")
        (owner,) = conn.execute("select session_user").fetchone()
    result = run("doctor", "--json", DATABASE_URL=as_url(database_url))
    check = checks(result)["functions"]
    assert (result.exit_code, check["result"]) == (1, "failed")
    assert check["found"] == f"promoted_at() runs with the rights of {owner}, not of atlas_owner"
    assert "--no-owner" in check["remedy"]


def test_the_doctor_says_what_a_role_may(run, shelf):
    for user, result, found in (
        ("test_reader", "ok", "test_reader may read"),
        ("test_reviewer", "ok", "test_reviewer may promote, reject and backfill, read"),
        ("test_stranger", "failed", "test_stranger has no rights in the registry"),
    ):
        check = checks(run("doctor", "--json", "--url", shelf.replace("//postgres", f"//{user}")))["role"]
        assert (check["result"], check["found"]) == (result, found)


def test_the_doctor_names_what_is_missing_and_what_to_do(run, empty_database):
    result = run("doctor", "--url", as_url(empty_database))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-2:] == [
        "FAILED schema: nothing is deployed in the schema atlas",
        "         do: atlas migrate URL, as a superuser",
    ]
    result = run("doctor", "--url", "postgresql://nobody:s3cret@127.0.0.1:1/none")
    assert result.exit_code == 1
    assert result.stdout.startswith("FAILED database: cannot connect to postgresql://nobody:***@127.0.0.1:1/none: ")
    assert "named by the command line" in result.stdout
    assert len(result.stdout.splitlines()) == 2


def test_the_database_is_that_of_the_option_then_of_database_url_then_of_the_variables_of_libpq(run, shelf, tmp_path):
    parts = conninfo_to_dict(shelf)
    named = {"PGHOST": "host", "PGPORT": "port", "PGDATABASE": "dbname", "PGUSER": "user"}
    variables = {name: parts[part] for name, part in named.items()}
    wrong = "postgresql://nobody@127.0.0.1:1/none"

    def source(*arguments: str, **environment: str) -> str:
        found = json.loads(run("doctor", "--json", *arguments, **environment).stdout)["checks"][0]["found"]
        return found.rpartition("named by ")[2] if "named by" in found else found

    assert source("--url", shelf, DATABASE_URL=wrong, **variables) == "the command line"
    assert source(DATABASE_URL=shelf, **(variables | {"PGHOST": "127.0.0.9"})) == "DATABASE_URL"
    assert source(**variables) == "PGHOST, PGPORT, PGDATABASE"
    assert "there is no local cluster yet" in source(ATLAS_LOCAL_DIR=str(tmp_path))
    assert run("status", **variables).exit_code == 0


# --- exit codes -------------------------------------------------------------------------------------------------------


def documented_codes() -> dict[str, str]:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| (\d+) \| ([^|]+) \|", page, flags=re.MULTILINE))


def test_the_exit_codes_are_those_of_the_documentation(run, shelf, tmp_path):
    assert list(documented_codes()) == ["0", "1", "2", "130"]
    bad = tmp_path / "models.jsonl"
    bad.write_text('{"name": "a", "metadata": {}}\n{"name": "b"\n')
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    for code, arguments in (
        (0, ("list",)),
        (0, ("doctor",)),
        (1, ("show", "no-such-model")),
        (1, ("show", "credit-risk-")),
        (1, ("promote", "churn-a")),
        (1, ("register", str(bad))),
        (1, ("validate", str(bad))),
        (1, ("validate", str(tmp_path / "none.jsonl"))),
        (1, ("status", "--url", nowhere)),
        (1, ("status", "--url", "postgresql://user:pass@word@host/db")),
        (1, ("list", "--schema", "elsewhere")),
        (2, ("list", "--after", "credit-risk")),
        (2, ("list", "--state", "good")),
        (2, ("promote",)),
        (2, ("no-such-command",)),
        (2, ("migrate", nowhere, "--url", nowhere)),
    ):
        result = run(*arguments, DATABASE_URL=shelf)
        assert (result.exit_code, arguments) == (code, arguments), result.output
        assert "Traceback" not in result.output
        if code == 1 and arguments[0] not in ("register", "validate"):
            assert result.stderr.startswith("atlas: ")
            assert "hint: " in result.stderr


def test_interrupted_it_exits_with_130_and_changes_nothing(database_url, conn):
    conn.execute("select register_model('churn', %s, artifact_id => 'churn-1')", [json.dumps(internal_metadata())])
    with psycopg.connect(database_url) as holder:
        holder.execute("select from atlas.registered_models for update")
        environment = environment_with(DATABASE_URL=as_url(database_url))
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [*PROGRAM, "promote", "churn@1"], env=environment, stdout=pipe, stderr=pipe, text=True
        ) as process:
            waiting = (
                "select from pg_stat_activity where application_name = 'atlas promote' and wait_event_type = 'Lock'"
                " and datname = current_database()"
            )
            wait_until(lambda: conn.execute(waiting).fetchone() is not None, "the command to wait for the lock")
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (130, "", "atlas: interrupted\n")
    assert conn.execute("select promotion_state from atlas.models").fetchone() == ("candidate",)


def test_every_command_has_help_with_exit_codes_and_all_but_the_local_server_have_examples_and_json(run):
    parts = {f"gates {name}": command for name, command in main.commands["gates"].commands.items()}
    for name, command in (main.commands | parts).items():
        text = run(*name.split(), "--help").stdout
        assert "Exit codes:" in text, name
        options = {option for parameter in command.params for option in parameter.opts}
        if name not in ("local", "completion", "gates"):
            assert "--json" in options, name
        if name != "local":
            assert "Examples:" in text or "In CI:" in text, name
        assert max(map(len, text.splitlines())) <= 80, name


def test_no_command_is_left_out_of_the_help(run):
    listed = re.findall(r"^  ([a-z][a-z-]+) {2,}\S", run("--help").stdout, flags=re.MULTILINE)
    assert set(listed) == set(main.commands)


# --- validate ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def validated(run, tmp_path):
    def validated(text: str, *options: str):
        (tmp_path / "file").write_text(text)
        result = run("validate", *options, str(tmp_path / "file"))
        return result.exit_code, result.stdout, result.stderr.replace(f"{tmp_path}/", "")

    return validated


def test_a_file_is_checked_without_a_database(validated):
    good = json.dumps({"name": "churn", "metadata": internal_metadata()})
    bad = json.dumps({"name": "churn", "metadata": internal_metadata(framework=""), "is_external": "no"})
    assert validated(f"{good}\n\n{good}\n") == (0, "valid: 2 of 2, by metadata schema 1\n", "")
    broken = '{"name": "churn", "metadata": }'
    assert validated(f"{good}\n{bad}\n{broken}\n") == (
        1,
        "valid: 1 of 3, by metadata schema 1\n",
        "file:2: churn: /is_external: must be a boolean, not string\n"
        "file:2: churn: /metadata/framework: must not be blank\n"
        "file:3: column 31: is not valid JSON: Expecting value\n",
    )


def test_metadata_alone_over_several_lines_are_checked_and_a_mistake_is_placed(validated):
    text = json.dumps(internal_metadata(), indent=2)
    assert validated(text) == (0, "valid: 1 of 1, by metadata schema 1\n", "")
    assert validated(text.replace('"framework":', '"framework"')) == (
        1,
        "valid: 0 of 1, by metadata schema 1\n",
        "file:4: column 15: is not valid JSON: Expecting ':' delimiter\n",
    )
    code, _, stderr = validated(text.replace("12400", '"12400"'))
    assert (code, stderr) == (1, "file:1: /parameter_count: must be an integer, not a string\n")
    refusals = json.loads(validated(text.replace("12400", '"12400"'), "--json")[1])
    assert refusals == {
        "metadata_schema_version": 1,
        "records": 1,
        "valid": 0,
        "refusals": [
            {
                "line": 1,
                "name": None,
                "problems": [{"path": "/parameter_count", "message": "must be an integer, not a string"}],
            }
        ],
    }


def test_one_bad_record_among_a_thousand_is_found(validated):
    good = json.dumps({"name": "churn", "metadata": internal_metadata()})
    file = [good] * 1000
    file[499] = good.replace("12400", "1.5")
    assert validated("\n".join(file)) == (
        1,
        "valid: 999 of 1,000, by metadata schema 1\n",
        "file:500: churn: /metadata/parameter_count: must be an integer, not a fraction\n",
    )
