"""Adoption while others use the table, twice at once, and killed half way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from atlas_models.migration_errors import AdoptionRefusedError, MigrationError
from atlas_models.migration_runner import Patience, migrate
from old_catalogues import SQLITE_TABLE
from waiting import wait_for_deploy, wait_until, wait_until_blocked

QUICK = Patience(lock_timeout_seconds=0.1, pause_seconds=0.01, attempts=500)
LONG = Patience(lock_timeout_seconds=60)

DEPLOY = """
import sys
from atlas_models.migration_runner import Patience, migrate
report = migrate(sys.argv[1], patience=Patience(lock_timeout_seconds=60))
print("nothing" if report.nothing_to_do else "adopted" if report.adopted else "applied")
"""


def deploy_in_a_process(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", DEPLOY, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def filled(catalogue):
    """An old table with a model, and a table that refers to it."""
    catalogue.run(SQLITE_TABLE.replace("id text", "id varchar(64)"))
    catalogue.run("create table feedback (artifact_id varchar(64) references artifacts (id))")
    catalogue.insert({"id": "m", "metadata": '{"b":1,"a":1.50e2,"a":2}'})
    return catalogue


@pytest.mark.parametrize("lock", ["access share", "row exclusive"], ids=["reader", "writer"])
def test_a_reader_or_writer_delays_the_adoption_and_is_not_disturbed(filled, lock):
    progress: list[str] = []
    with ThreadPoolExecutor() as pool, filled.connect() as holder:
        holder.execute(f"begin; lock table artifacts in {lock} mode")
        deploy = pool.submit(migrate, filled.url, patience=QUICK, progress=progress.append)
        again = "the lock on artifacts: canceling statement due to lock timeout; trying again (2 of 500)"
        wait_until(lambda: again in progress, "the deploy to try again")
        assert holder.execute("select count(*) from artifacts").fetchone() == (1,)
        holder.execute("commit")
        assert deploy.result(timeout=60).adopted.rows == 1


def test_a_lock_on_a_table_that_refers_to_it_delays_the_adoption_too(filled):
    progress: list[str] = []
    with ThreadPoolExecutor() as pool, filled.connect() as holder:
        holder.execute("begin; select * from feedback")
        deploy = pool.submit(migrate, filled.url, patience=QUICK, progress=progress.append)
        again = "migrations/0001_artifacts.sql: canceling statement due to lock timeout; trying again (2 of 500)"
        wait_until(lambda: again in progress, "the deploy to try again")
        assert filled.rows("select count(*) from artifacts") == [(1,)]
        holder.execute("commit")
        assert deploy.result(timeout=60).adopted.rows == 1


def test_a_lock_that_is_not_had_at_last_leaves_the_table_as_it_was(filled):
    before = filled.fingerprint()
    with filled.connect() as holder:
        holder.execute("begin; select * from artifacts")
        with pytest.raises(MigrationError) as caught:
            migrate(filled.url, patience=Patience(lock_timeout_seconds=0.05, pause_seconds=0.01, attempts=2))
        holder.execute("commit")
    assert caught.value.message == (
        "the lock on artifacts: canceling statement due to lock timeout (tried 2 times; nothing was changed)"
    )
    assert filled.fingerprint() == before


def test_rows_that_change_before_the_lock_is_had_are_taken_as_they_are_then(filled):
    with ThreadPoolExecutor() as pool, filled.connect() as holder, filled.connect() as observer:
        holder.execute("begin; insert into artifacts (id, artifact_type, metadata) values ('late', 'model', '{}')")
        deploy = pool.submit(migrate, filled.url, patience=LONG)
        wait_until_blocked(observer, wait_for_deploy(observer))
        holder.execute("update artifacts set title = 'late' where id = 'm'; commit")
        assert deploy.result(timeout=60).adopted.rows == 2
    assert filled.rows("select id, row_text::json ->> 'title' from artifacts_original order by id") == [
        ("late", None),
        ("m", "late"),
    ]


def test_a_row_that_comes_before_the_lock_is_had_can_still_refuse_it(filled):
    with ThreadPoolExecutor() as pool, filled.connect() as holder, filled.connect() as observer:
        holder.execute("begin; insert into artifacts (id, artifact_type, metadata) values ('late', 'model', '{')")
        deploy = pool.submit(migrate, filled.url, patience=LONG)
        wait_until_blocked(observer, wait_for_deploy(observer))
        holder.execute("commit")
        with pytest.raises(AdoptionRefusedError) as caught:
            deploy.result(timeout=60)
    assert caught.value.findings == (
        (
            '1 row whose metadata is no JSON that PostgreSQL can hold: "late"',
            "make it valid JSON (NaN and Infinity are none), or NULL",
        ),
    )


def test_an_application_that_waited_meanwhile_goes_on(filled):
    with ThreadPoolExecutor() as pool, filled.connect() as holder, filled.connect() as observer:
        holder.execute("begin; select * from artifacts")
        deploy = pool.submit(migrate, filled.url, patience=LONG)
        wait_until_blocked(observer, wait_for_deploy(observer))
        application = filled.connect()
        insert = "insert into artifacts (id, artifact_type, metadata) values ('d', 'dataset', '{}')"
        waiting = pool.submit(application.execute, insert)
        wait_until_blocked(observer, application.info.backend_pid)
        holder.execute("commit")
        assert deploy.result(timeout=60).adopted.rows == 1
        assert waiting.result(timeout=60).rowcount == 1
    assert filled.rows("select id, metadata, is_latest from artifacts where id = 'd'") == [("d", {}, True)]


def test_of_six_deploys_at_once_one_adopts(filled):
    processes = [deploy_in_a_process(filled.url) for _ in range(6)]
    outcomes = [process.communicate(timeout=120) for process in processes]
    assert [errors for _, errors in outcomes if errors] == []
    assert sorted(output.strip() for output, _ in outcomes) == ["adopted"] + ["nothing"] * 5
    assert filled.value("select count(*) from artifacts_original") == 1


def test_a_deploy_killed_in_the_middle_leaves_the_old_table_and_the_next_one_completes(filled):
    before = filled.fingerprint()
    with filled.connect() as holder, filled.connect() as observer:
        # The rewrite has to wait for the foreign key of this one: the rows are copied by then.
        holder.execute("begin; select * from feedback")
        process = deploy_in_a_process(filled.url)
        pid = wait_for_deploy(observer)
        wait_until_blocked(observer, pid)
        copied = "select count(*) from pg_locks where pid = %s and relation = 'artifacts'::regclass and mode = %s"
        assert observer.execute(copied, [pid, "AccessExclusiveLock"]).fetchone() == (1,)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        gone = "select not exists (select from pg_stat_activity where pid = %s)"
        wait_until(lambda: observer.execute(gone, [pid]).fetchone()[0], "the server to end the killed deploy's session")
        holder.execute("commit")
    assert filled.fingerprint() == before
    assert filled.adopt().adopted.rows == 1
    assert filled.rows("select row_text::json ->> 'metadata' from artifacts_original") == [
        ('{"b":1,"a":1.50e2,"a":2}',)
    ]


def test_a_second_deploy_has_nothing_to_do(filled):
    filled.adopt()
    after = filled.fingerprint()
    report = filled.adopt()
    assert (report.nothing_to_do, report.adopted) == (True, None)
    assert filled.fingerprint() == after


def test_a_dry_run_changes_nothing_and_says_what_it_would_do(filled):
    before = filled.fingerprint()
    report = migrate(filled.url, dry_run=True)
    assert (report.dry_run, report.adopted.rows, report.adopted.models) == (True, 1, 1)
    assert filled.fingerprint() == before
