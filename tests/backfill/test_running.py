"""The procedure can be stopped anywhere, repeated, tried out and run by several at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from backfill_catalogues import LegacyCatalogue
from factories import internal_metadata
from refusals import refused
from waiting import wait_until, wait_until_blocked

CALL = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True, application_name="backfill") as conn:
    conn.execute("call atlas.backfill_model_versions(batch_size => 1)")
"""


def eight_models(legacy: LegacyCatalogue) -> None:
    legacy.chain("a", "b", "c", lifecycle_state="production", superseded_by=None)
    legacy.run("update artifacts set lifecycle_state = 'active' where id <> 'c'")
    legacy.add("d", metadata={"is_external": False, "notes": "no more is known"})
    legacy.add("e", parent_version_id="e")
    legacy.add("f", "Twin")
    legacy.add("g", "Twin")
    legacy.add("h", metadata="null")
    legacy.add("data", artifact_type="dataset")


def test_a_second_run_changes_nothing(legacy):
    eight_models(legacy)
    assert legacy.backfill() == "8 rows done: 5 backfilled (1 of them promoted), 3 wait for a person"
    before = legacy.rows("select ctid, xmin, * from backfill_log order by artifact_id")
    versions = legacy.rows("select ctid, xmin, * from model_versions order by artifact_id")
    assert legacy.backfill() == "0 rows done: 0 backfilled (0 of them promoted), 0 wait for a person"
    assert legacy.rows("select ctid, xmin, * from backfill_log order by artifact_id") == before
    assert legacy.rows("select ctid, xmin, * from model_versions order by artifact_id") == versions


def test_a_dry_run_writes_nothing_and_reports_the_same_counts(legacy):
    eight_models(legacy)
    legacy.adopt()
    before = legacy.everything()
    counts = "8 rows done: 5 backfilled (1 of them promoted), 3 wait for a person"
    assert legacy.backfill("dry_run => true") == f"dry run, nothing was written; {counts}"
    assert legacy.everything() == before
    assert legacy.backfill() == counts


def test_other_artifacts_are_left_alone(legacy):
    eight_models(legacy)
    legacy.adopt()
    before = legacy.rows("select ctid, * from artifacts where artifact_type <> 'model'")
    legacy.backfill()
    assert legacy.rows("select ctid, * from artifacts where artifact_type <> 'model'") == before


@pytest.mark.parametrize("rows", [1, 5, *(pytest.param(rows, marks=pytest.mark.long) for rows in (2, 3, 4, 6, 7, 8))])
def test_killed_at_any_row_and_run_again_the_result_is_that_of_an_undisturbed_run(legacy, rows, new_database):
    undisturbed = LegacyCatalogue(new_database())
    for catalogue in (legacy, undisturbed):
        eight_models(catalogue)
        catalogue.adopt()
    undisturbed.backfill()
    # The row after so many is held by somebody: the backfill waits there, and is killed while it does.
    order = legacy.rows("select id from artifacts where artifact_type = 'model' order by id collate \"C\"")
    with legacy.connect() as holder:
        holder.execute("begin")
        holder.execute("select from artifacts where id = %s for update", [order[rows - 1][0]])
        process = subprocess.Popen([sys.executable, "-c", CALL, legacy.url], stderr=subprocess.DEVNULL)
        with legacy.connect() as observer:
            query = "select pid from pg_stat_activity where application_name = 'backfill' and wait_event_type = 'Lock'"
            wait_until(lambda: observer.execute(query).fetchone(), "the backfill to reach the held row")
            (pid,) = observer.execute(query).fetchone()
            process.send_signal(signal.SIGKILL)
            process.wait()
            # Without its client the server process goes on until it notices: it is ended as hard.
            observer.execute("select pg_terminate_backend(%s)", [pid])
            gone = "select not exists (select from pg_stat_activity where pid = %s)"
            wait_until(lambda: observer.execute(gone, [pid]).fetchone()[0], "the killed backfill's session to end")
        holder.execute("rollback")
    done = legacy.value("select count(*) from backfill_log where outcome <> 'planned'")
    assert done < 8
    legacy.backfill()
    assert legacy.everything() == undisturbed.everything()
    assert legacy.value("select count(*) from model_versions") == 8
    undisturbed.close()


def test_two_at_once_share_the_rows(legacy):
    legacy.run(
        """
        insert into artifacts (id, artifact_type, title, metadata)
        select 'm' || i, 'model', 'M' || i, '{"is_external": true, "model_family": "f", "framework": "f",
            "external_source_url": "https://example.org/m", "external_source_version": "1"}'
        from generate_series(1, 300) as i
        """
    )
    legacy.adopt()
    with ThreadPoolExecutor(4) as pool:
        notices = list(pool.map(lambda _: legacy.backfill("batch_size => 7"), range(4)))
    assert sum(int(notice.split()[0]) for notice in notices) == 300
    assert legacy.rows("select outcome, count(*) from backfill_log group by outcome") == [("backfilled", 300)]
    assert legacy.value("select count(*) from model_versions") == 300


def test_a_row_that_somebody_holds_delays_its_batch_and_nothing_else(legacy):
    for artifact_id in "abc":
        legacy.add(artifact_id)
    legacy.adopt()
    with ThreadPoolExecutor() as pool, legacy.connect() as holder, legacy.connect() as observer:
        holder.execute("begin; update artifacts set title = title where id = 'b'")
        running = pool.submit(legacy.backfill, "batch_size => 1")
        query = "select pid from pg_stat_activity where query like 'call backfill%' and wait_event_type = 'Lock'"
        wait_until(lambda: observer.execute(query).fetchone(), "the backfill to wait")
        assert legacy.version("a").schema_version == 1
        wait_until_blocked(observer, observer.execute(query).fetchone()[0])
        holder.execute("rollback")
        assert running.result(timeout=30).startswith("3 rows done: 3 backfilled")


def test_it_is_refused_within_a_transaction(legacy):
    legacy.add("a")
    legacy.adopt()
    with legacy.connect() as conn, pytest.raises(psycopg.errors.InvalidTransactionTermination):
        conn.execute("begin")
        conn.execute("call backfill_model_versions()")
    assert legacy.version("a").schema_version == 0


@pytest.mark.parametrize("size", ["0", "-1", "null", "100001"])
def test_a_batch_size_out_of_range_is_refused(legacy, size):
    legacy.adopt()
    with refused("22023", detail=f"/batch_size: is {size.upper()}"):
        legacy.backfill(f"batch_size => {size}")


def test_it_works_from_any_search_path(legacy):
    legacy.add("a")
    legacy.adopt()
    with legacy.connect() as conn:
        conn.execute("set search_path = public")
        conn.execute("call atlas.backfill_model_versions()")
    assert legacy.version("a").name == "A"


def test_other_rules_make_what_waits_be_looked_at_again(legacy):
    legacy.add("a", metadata=internal_metadata() | {"the_number_of_weights": 7, "parameter_count": None})
    assert "1 wait for a person" in legacy.backfill()
    legacy.run(
        """
        insert into backfill_rules (name, position, source, legacy_key, field, transform)
        values ('ours: weights', 5000, 'metadata', 'the_number_of_weights', 'parameter_count', 'count')
        """
    )
    assert legacy.backfill() == "1 rows done: 1 backfilled (0 of them promoted), 0 wait for a person"
    assert legacy.value("select (metadata ->> 'parameter_count')::integer from artifacts") == 7


def test_a_backend_that_dies_in_the_middle_leaves_whole_batches(legacy):
    eight_models(legacy)
    legacy.adopt()
    with ThreadPoolExecutor() as pool, legacy.connect() as holder, legacy.connect() as observer:
        holder.execute("begin; update artifacts set title = title where id = 'f'")
        running = pool.submit(legacy.backfill, "batch_size => 2")
        query = "select pid from pg_stat_activity where query like 'call backfill%' and wait_event_type = 'Lock'"
        wait_until(lambda: observer.execute(query).fetchone(), "the backfill to wait")
        observer.execute("select pg_terminate_backend(%s)", [observer.execute(query).fetchone()[0]])
        with pytest.raises(psycopg.OperationalError):
            running.result(timeout=30)
        holder.execute("rollback")
    placed = "select count(*) from artifacts where name is not null"
    assert 0 < legacy.value(placed) < 8
    assert legacy.value(f"{placed} and not exists (select from model_versions where artifact_id = id)") == 0
    legacy.backfill()
    assert legacy.value("select count(*) from model_versions") == 8


def test_two_that_wait_for_each_other_both_come_to_their_end(legacy):
    """A batch that loses a deadlock is repeated: nothing of it was wrong."""
    legacy.add("a")
    legacy.add("b")
    legacy.adopt()
    with ThreadPoolExecutor() as pool, legacy.connect() as other, legacy.connect() as observer:
        # The other never looks for deadlocks: it is the backfill that finds this one, and gives way.
        other.execute("set deadlock_timeout = '1h'")
        other.execute("begin; update artifacts set title = title where id = 'b'")
        running = pool.submit(legacy.backfill)
        query = "select pid from pg_stat_activity where query like 'call backfill%' and wait_event_type = 'Lock'"
        wait_until(lambda: observer.execute(query).fetchone(), "the backfill to wait")
        other.execute("update artifacts set title = title where id = 'a'")
        other.execute("commit")
        assert running.result(timeout=30).startswith("2 rows done: 2 backfilled")


@pytest.mark.slow
def test_a_batch_reads_no_more_of_what_others_have_written_than_the_first(legacy):
    """The tables that it fills are empty when its statements are planned, and known to be."""
    legacy.run(
        """
        insert into artifacts (id, artifact_type, title, metadata, version_number, parent_version_id, is_latest)
        select 'm' || i, 'model', 'M' || (i + 1) / 2, '{"is_external": true, "model_family": "f", "framework": "f",
            "external_source_url": "https://example.org/m", "external_source_version": "1"}',
            2 - i % 2, case when i % 2 = 0 then 'm' || (i - 1) end, 1 - i % 2
        from generate_series(1, 2400) as i
        """
    )
    legacy.adopt()
    legacy.run("vacuum analyze")
    assert legacy.backfill("batch_size => 50").startswith("2400 rows done: 2400 backfilled")
    query = """
        select sum(idx_tup_read) from pg_stat_user_indexes where relname in ('model_versions', 'registered_models')
    """
    # The numbers of a session come in when it has ended.
    wait_until(lambda: legacy.value(query) > 2400, "the statistics of the backfill's session")
    assert legacy.value(query) < 25 * 2400
