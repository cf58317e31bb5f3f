"""The benchmark of the adoption, with a few rows: it measures what it says, on a server that flushes to disk."""

from __future__ import annotations

import psycopg
import pytest

from benchmarks.adoption import durable_server, machine, measure


@pytest.mark.slow
def test_a_small_table_is_measured() -> None:
    with durable_server() as url:
        with psycopg.connect(url) as conn:
            assert conn.execute("show fsync").fetchone() == ("on",)
        assert "fsync on" in machine(url)
        result = measure(url, 1000)
    assert (result.rows, result.models) == (1000, 900)
    assert 750 < result.document < 850
    assert 0 < result.locked < result.total
    assert result.plain > 0
