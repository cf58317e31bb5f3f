"""The benchmark of the backfill, with a few rows: it measures what it says, and its floor writes the same rows."""

from __future__ import annotations

import psycopg
import pytest

from benchmarks.backfill import adopted_catalogue, backfill, new_database, write_plainly

TABLES = (
    *("artifacts", "model_versions", "registered_models"),
    *("backfill_log", "model_events", "model_search", "model_metrics"),
)


@pytest.fixture(scope="module")
def catalogue(server_url: str):
    with adopted_catalogue(server_url, 40) as template:
        yield template


@pytest.mark.slow
def test_the_floor_writes_the_rows_of_the_backfill(server_url, catalogue):
    with new_database(server_url, catalogue) as url:
        run = backfill(url, 1)
        plain = write_plainly(url)
        with psycopg.connect(url) as conn:
            for table in TABLES:
                rows = [
                    conn.execute(f"select to_jsonb(t) from {schema}.{table} as t order by 1").fetchall()
                    for schema in ("atlas", "floor")
                ]
                assert rows[0] == rows[1]
                counted = {"registered_models": 32, "model_events": 60, "model_metrics": 90}
                assert len(rows[0]) == counted.get(table, 40), table
    assert (run.rows, run.backfilled, run.promoted, run.queued) == (40, 38, 20, 2)
    assert plain.rows == 40
    assert run.seconds > 0
    assert plain.seconds > 0


@pytest.mark.slow
def test_two_sessions_write_what_one_does(server_url, catalogue):
    with new_database(server_url, catalogue) as url:
        run = backfill(url, 2, batch_size=5)
    assert (run.rows, run.backfilled, run.promoted, run.queued) == (40, 38, 20, 2)
    assert run.memory.last > 0
