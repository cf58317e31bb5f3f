"""What `atlas backfill`, `atlas seal` and `atlas report` write, print and exit with."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

import legacy_models
from commands import PROGRAM, as_url, atlas, environment_with
from terminals import Terminal
from waiting import wait_until, wait_until_blocked

TIME = re.compile(r"time: [0-9.]+ s, [0-9,]+ rows a second")
IS_LATEST = "  2  is_latest: several versions are said to be the latest"


def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return atlas(*arguments, DATABASE_URL=as_url(url))


def without_time(text: str) -> list[str]:
    return TIME.sub("time: …", text).splitlines()


@pytest.fixture
def legacy(legacy_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection to the adopted catalogue, in autocommit mode."""
    with psycopg.connect(legacy_url, autocommit=True) as conn:
        yield conn


def schema_versions(conn: psycopg.Connection) -> dict[str, int]:
    rows = conn.execute("select id, metadata_schema_version from artifacts where artifact_type = 'model'")
    return dict(rows.fetchall())


ALL_LEGACY = {"cells-1": 0, "drift-1": 0, "drift-2": 0, "ode-1": 0, "risk-1": 0}
SETTLED = ALL_LEGACY | {"cells-1": 1, "risk-1": 1}


# --- backfill -------------------------------------------------------------------------------------------------------


def test_what_is_sure_is_backfilled_and_what_waits_is_listed(legacy_url, legacy):
    ended = run(legacy_url, "backfill")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = without_time(ended.stdout)
    assert lines[:6] == [
        "Done.",
        "rows looked at: 5",
        "backfilled: 2",
        "promoted, because their rows say that they are in service: 1",
        "wait for a person: 3",
        IS_LATEST,
    ]
    assert lines[6].startswith("  1  parameter_count: ")
    assert lines[7:] == [
        "time: …",
        "",
        "Next: atlas review asks what is open, model by model; atlas review --list shows it.",
    ]
    assert schema_versions(legacy) == SETTLED


def test_a_second_run_changes_nothing_and_still_names_what_waits(legacy_url, legacy):
    run(legacy_url, "backfill")
    log = legacy.execute("select * from backfill_log order by artifact_id").fetchall()
    ended = run(legacy_url, "backfill")
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[:3] == [
        "Nothing to do but to answer what waits.",
        "wait for a person: 3",
        IS_LATEST,
    ]
    assert legacy.execute("select * from backfill_log order by artifact_id").fetchall() == log


def test_a_dry_run_says_what_would_be_and_writes_nothing(legacy_url, legacy):
    ended = run(legacy_url, "backfill", "--dry-run")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert without_time(ended.stdout) == [
        "Dry run, rolled back: nothing was written.",
        "rows looked at: 5",
        "backfilled: 2",
        "promoted, because their rows say that they are in service: 1",
        "would wait for a person: 3",
        "time: …",
        "",
        "Next: atlas backfill does it; what waits is then listed with its questions.",
    ]
    assert schema_versions(legacy) == ALL_LEGACY
    assert legacy.execute("select count(*) from backfill_log").fetchone() == (0,)


def test_the_summary_as_json_holds_every_question(legacy_url):
    ended = run(legacy_url, "backfill", "--json", "--batch-size", "1")
    assert (ended.returncode, ended.stderr) == (0, "")
    found = json.loads(ended.stdout)
    assert found.pop("seconds") > 0
    assert found.pop("rows_per_second") > 0
    assert [(question["field"], question["rows"]) for question in found.pop("questions")] == [
        ("is_latest", 2),
        ("parameter_count", 1),
    ]
    assert found == {
        "outcome": "written",
        "rows": 5,
        "backfilled": 2,
        "promoted": 1,
        "queued": 3,
        "waiting": 3,
        "sealed": False,
    }


def test_sessions_share_the_work_and_are_counted_together(legacy_url, legacy):
    with psycopg.connect(legacy_url) as holder, ThreadPoolExecutor() as pool:
        holder.execute("select from atlas.artifacts where id = 'cells-1' for update")
        running = pool.submit(run, legacy_url, "backfill", "--batch-size", "1", "--workers", "2")
        # The one waits for the row that is held; the other does the rest meanwhile.
        settled = "select count(*) from backfill_log where outcome <> 'planned'"
        wait_until(lambda: legacy.execute(settled).fetchone() == (4,), "the other session to settle the rest")
        assert schema_versions(legacy) == ALL_LEGACY | {"risk-1": 1}
        holder.rollback()
        ended = running.result(timeout=30)
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[:5] == [
        "Done.",
        "rows looked at: 5",
        "backfilled: 2",
        "promoted, because their rows say that they are in service: 1",
        "wait for a person: 3",
    ]
    assert schema_versions(legacy) == SETTLED


def test_check_changes_nothing_and_exits_with_one_while_a_legacy_model_is_left(legacy_url, legacy):
    before = run(legacy_url, "backfill", "--check")
    assert (before.returncode, before.stdout.splitlines()) == (
        1,
        [
            "legacy models left: 5",
            "wait for a person: 0",
            "",
            "Next: atlas backfill settles what nobody has to be asked about.",
        ],
    )
    assert schema_versions(legacy) == ALL_LEGACY
    run(legacy_url, "backfill")
    waiting = run(legacy_url, "backfill", "--check", "--json")
    assert (waiting.returncode, json.loads(waiting.stdout)["left"]) == (1, 3)
    answer_everything(legacy)
    after = run(legacy_url, "backfill", "--check")
    assert (after.returncode, after.stdout.splitlines()) == (
        0,
        [
            "legacy models left: 0",
            "wait for a person: 0",
            "",
            "Next: atlas seal makes rows without validated metadata impossible.",
        ],
    )


def test_who_may_backfill_may_check_what_is_left(legacy_url):
    url = as_url(legacy_url).replace("//postgres", "//test_reviewer")
    done = run(url, "backfill")
    assert (done.returncode, done.stdout.splitlines()[1]) == (0, "rows looked at: 5")
    checked = run(url, "backfill", "--check")
    assert (checked.returncode, checked.stderr) == (1, "")
    assert checked.stdout.splitlines()[0] == "legacy models left: 3"


def answer_everything(conn: psycopg.Connection) -> None:
    conn.execute("select resolve_backfill_review('drift-2', '{\"is_latest\": true}')")
    conn.execute("select resolve_backfill_review('ode-1', '{\"parameter_count\": 12}')")


def test_a_registry_without_legacy_models_has_nothing_to_do(database_url):
    ended = run(database_url, "backfill")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Nothing to do: no legacy model is left, and none can come in.\n"


def test_the_databases_own_settings_neither_silence_nor_end_it(legacy_url, legacy):
    name = legacy.info.dbname
    legacy.execute(f"alter database {name} set client_min_messages = error")
    legacy.execute(f"alter database {name} set statement_timeout = '20ms'")
    ended = run(legacy_url, "backfill")
    assert (ended.returncode, ended.stdout.splitlines()[:2]) == (0, ["Done.", "rows looked at: 5"])


def test_another_schema_is_named_by_an_option(empty_database):
    legacy_models.lay_down(empty_database, schema="models")
    assert run(empty_database, "migrate", "--schema", "models").returncode == 0
    ended = run(empty_database, "backfill", "--schema", "models")
    assert (ended.returncode, ended.stdout.splitlines()[:3]) == (0, ["Done.", "rows looked at: 5", "backfilled: 2"])


def test_a_schema_without_a_registry_is_one_line_and_a_hint(database_url):
    for arguments in (["backfill"], ["backfill", "--check"], ["seal"], ["report"], ["review", "--list"]):
        ended = run(database_url, *arguments, "--schema", "elsewhere")
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.splitlines()[0] == (
            "atlas: this database has no registry in this schema, or one that is older than the client"
        )


def test_a_role_that_may_not_backfill_is_one_line(legacy_url):
    ended = run(as_url(legacy_url).replace("//postgres", "//test_reader"), "backfill")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("atlas: permission denied for ")


@pytest.mark.parametrize(
    "options", [["--batch-size", "0"], ["--batch-size", "100001"], ["--workers", "0"], ["--check", "--dry-run"]]
)
def test_a_wrong_command_line_is_a_usage_error(options):
    assert atlas("backfill", *options).returncode == 2


@pytest.mark.parametrize("command", ["backfill", "review", "seal", "report", "check-links"])
def test_the_help_documents_the_exit_codes(command):
    assert "Exit codes:\n" in atlas(command, "--help").stdout


# --- backfill, interrupted ------------------------------------------------------------------------------------------


@contextmanager
def blocked_at_the_last_model(url: str, conn: psycopg.Connection, *options: str) -> Iterator[tuple]:
    """The command, one model a transaction, waiting for the lock of the last; gives it, and its server process id."""
    with psycopg.connect(url) as holder:
        holder.execute("select from atlas.artifacts where id = 'risk-1' for update")
        command = [*PROGRAM, "backfill", "--batch-size", "1", "--workers", "1", *options]
        pipe = subprocess.PIPE
        environment = environment_with(DATABASE_URL=as_url(url))
        with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
            query = """
                select pid
                from pg_stat_activity
                where application_name = 'atlas backfill' and datname = current_database()
            """
            wait_until(lambda: conn.execute(query).fetchone(), "the command to connect")
            pid = conn.execute(query).fetchone()[0]
            wait_until_blocked(conn, pid)
            yield process, pid
        holder.rollback()


def test_interrupted_it_keeps_what_was_committed_and_goes_on_when_run_again(legacy_url, legacy):
    with blocked_at_the_last_model(legacy_url, legacy) as (process, _):
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines() == [
        "atlas: interrupted; what was committed stays",
        "  hint: run it again: it goes on where it stopped",
    ]
    assert schema_versions(legacy) == ALL_LEGACY | {"cells-1": 1}
    assert run(legacy_url, "backfill").stdout.splitlines()[:3] == ["Done.", "rows looked at: 1", "backfilled: 1"]
    assert schema_versions(legacy) == SETTLED


def test_an_interrupted_dry_run_has_written_nothing(legacy_url, legacy):
    with blocked_at_the_last_model(legacy_url, legacy, "--dry-run") as (process, _):
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, "atlas: interrupted; nothing was written\n")
    assert schema_versions(legacy) == ALL_LEGACY


def test_a_lost_connection_keeps_what_was_committed(legacy_url, legacy):
    with blocked_at_the_last_model(legacy_url, legacy) as (process, pid):
        legacy.execute("select pg_terminate_backend(%s)", [pid])
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (1, "")
    assert stderr.splitlines() == [
        "atlas: the connection to the database was lost; what was committed stays",
        "  hint: run it again: it goes on where it stopped",
    ]
    assert schema_versions(legacy) == ALL_LEGACY | {"cells-1": 1}


def test_a_killed_command_ends_its_session(legacy_url, legacy):
    with blocked_at_the_last_model(legacy_url, legacy) as (process, pid):
        process.kill()
        gone = "select not exists (select from pg_stat_activity where pid = %s)"
        wait_until(lambda: legacy.execute(gone, [pid]).fetchone()[0], "the session to end")
    assert run(legacy_url, "backfill").returncode == 0
    assert schema_versions(legacy) == SETTLED


# --- backfill, on a terminal ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_terminal_shows_a_bar_with_the_time_left(legacy_url):
    with psycopg.connect(legacy_url) as holder:
        holder.execute("select from atlas.artifacts where id = 'cells-1' for update")
        with Terminal("backfill", "--batch-size", "1", "--workers", "1", DATABASE_URL=as_url(legacy_url)) as terminal:
            terminal.wait_for("0 %  0 rows")
            time.sleep(2.1)  # the server tells of its progress every two seconds
            holder.rollback()
            assert terminal.end() == 0
    assert re.search(r"backfilling [━╺]+ +20 %  1 rows, about [0-9]+ s left 0:00:0[2-9]", terminal.shown())
    assert "Done.\nrows looked at: 5\n" in terminal.shown()


# --- seal -----------------------------------------------------------------------------------------------------------


def test_the_seal_lists_what_is_left(backfilled_url):
    ended = run(backfilled_url, "seal")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        "atlas: legacy models are left: 3",
        "  /drift-1: 1 open question",
        "  /drift-2: 1 open question",
        "  /ode-1: 1 open question",
        "  hint: Backfill them (call backfill_model_versions()) and settle what waits in backfill_reviews.",
    ]


def test_the_seal_is_set_when_nothing_is_left(legacy_url, legacy):
    run(legacy_url, "backfill")
    answer_everything(legacy)
    next_step = run(legacy_url, "backfill").stdout
    assert next_step == (
        "Nothing to do: no legacy model is left.\n\n"
        "Next: atlas seal makes rows without validated metadata impossible.\n"
    )
    sealed, again = run(legacy_url, "seal"), run(legacy_url, "seal")
    assert (sealed.returncode, sealed.stdout) == (
        0,
        "Sealed: every model has validated metadata, and no row without it can come in again.\n",
    )
    assert (again.returncode, again.stdout) == (0, "Nothing to do: it is sealed already.\n")
    assert run(legacy_url, "backfill").stdout == "Nothing to do: no legacy model is left, and none can come in.\n"


# --- report ---------------------------------------------------------------------------------------------------------


def test_the_report_is_printed_or_written_and_the_same_each_time(backfilled_url, tmp_path):
    printed = run(backfilled_url, "report")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout.startswith("# Migration report\n")
    assert printed.stdout.count("\n### ") == 5
    written = run(backfilled_url, "report", f"{tmp_path}/report.md")
    assert (written.returncode, written.stdout) == (0, "")
    assert written.stderr == f"{tmp_path}/report.md: {len(printed.stdout.encode()):,} bytes\n"
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == printed.stdout


def test_the_report_shows_as_many_models_as_are_asked_for(backfilled_url):
    assert run(backfilled_url, "report", "--max-artifacts", "2").stdout.count("\n### ") == 2
    assert run(backfilled_url, "report", "--max-artifacts", "2", "--all").stdout.count("\n### ") == 5


def test_a_report_that_cannot_be_written_is_one_line(backfilled_url, tmp_path):
    ended = run(backfilled_url, "report", f"{tmp_path}/none/report.md")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"atlas: {tmp_path}/none/report.md cannot be written: No such file or directory\n"
