"""What one operation costs while the registry grows from a thousand versions to a million, in steps of ten."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import old_models, search

SCHEMA = "atlas"
OPERATIONS = {
    "register": "register_model(), half of it new names",
    "promote": "promote_model(), superseding",
    "search": "search_models(), a full page of four kinds",
    "lineage": "model_lineage(), a chain of 100",
    "backfill": "a row of a backfill's batch",
}

_ASIDE = """
    create table public.legacy (like {schema}.artifacts);
    insert into public.legacy select * from {schema}.artifacts;
    delete from {schema}.artifacts
"""
_BACK = """
    insert into artifacts
    select l.* from public.legacy as l
    where l.id in (select 'model-' || md5(n::text) from generate_series(%s::integer, %s::integer) as n)
"""
# What was measured is taken away again: the next size, and the search, meet the generator's rows alone.
_CLEAN = (
    """
    create temporary table measured on commit drop as
    select a.id from artifacts as a
    where a.artifact_type = 'model' and a.created_by is distinct from 'generator' and a.name not like 'grown-%%'
    or a.metadata_schema_version = 0
    """,
    """
    delete from model_metrics as m using model_search as s, measured as d
    where m.place = s.place and s.artifact_id = d.id
    """,
    "delete from model_search as s using measured as d where s.artifact_id = d.id",
    "delete from model_events as e using measured as d where e.artifact_id = d.id",
    "delete from backfill_log as b using measured as d where b.artifact_id = d.id",
    "delete from model_versions as v using measured as d where v.artifact_id = d.id",
    "delete from artifacts as a using measured as d where a.id = d.id",
    "delete from registered_models as r where not exists (select from artifacts as a where a.name = r.name)",
)


_ALWAYS = """
    select t.tgrelid::regclass::text, t.tgname
    from pg_trigger as t
    inner join pg_class as c on t.tgrelid = c.oid
    where c.relnamespace = current_schema()::regnamespace and t.tgenabled = 'A' and not t.tgisinternal
"""


@contextmanager
def _without_guards(conn: psycopg.Connection) -> Iterator[None]:
    """A transaction of a superuser in which no trigger of the registry fires, those that always do included."""
    with conn.transaction():
        search.write_plainly(conn)
        always = conn.execute(_ALWAYS).fetchall()
        for change in ("alter table {} disable trigger {}", "alter table {} enable always trigger {}"):
            for table, trigger in always:
                conn.execute(sql.SQL(change).format(sql.SQL(table), sql.Identifier(trigger)))
            if "disable" in change:
                yield


@dataclass(frozen=True)
class Cost:
    """What an operation costs at a size: microseconds of the server's processor time, and by the clock."""

    operation: str
    size: int
    worked: float
    took: float


def sizes(versions: int) -> list[int]:
    """The sizes on the way to so many versions: a thousandth, a hundredth and a tenth of them, and all."""
    return [size for share in (1_000, 100, 10, 1) if (size := versions // share) >= 10]


def lay_down(conn: psycopg.Connection, versions: int, batch: int) -> None:
    """Make the old table of a new database: for each size, legacy rows for one batch and for warming up before it."""
    old_models.lay_down(conn, SCHEMA, len(sizes(versions)) * _legacy_rows(batch))


def _legacy_rows(batch: int) -> int:
    return batch + batch // 10


def put_aside(conn: psycopg.Connection) -> None:
    """Put all legacy rows of the adopted table aside, as they are."""
    with _without_guards(conn):
        conn.execute(_ASIDE.format(schema=SCHEMA))
    conn.execute("select set_promotion_policy(null, false, false, false)")


def measure(
    open_connection: Callable[[], psycopg.Connection],
    take: Callable[[int, Callable[[int], str]], list[dict[str, Any]]],
    register: Callable[[psycopg.Connection, dict[str, Any]], str],
    versions: int,
    calls: int,
    batch: int,
) -> Iterator[Cost]:
    """Fill the registry up to each size, and measure the operations there.

    Args:
        open_connection: Gives a connection of a superuser, with the registry on its search_path.
        take: Gives so many registrations, named by their numbers.
        register: Registers one.
        versions: The largest size.
        calls: How often each operation is called at each size, after a tenth of it for warming up.
        batch: Legacy rows that are backfilled at once.
    """
    for step, size in enumerate(sizes(versions)):
        with open_connection() as conn:
            search.fill(conn, size, versions)
            if step == 0:
                search.lay_chain(conn, 100, 1, "grown-")
            search.warm(conn)
            conn.execute("checkpoint")
        with open_connection() as conn:
            yield _search(conn, size, calls)
            yield _lineage(conn, size, calls)
            known: list[str] = []
            yield _register(conn, size, take, register, calls, known)
            yield _promote(conn, size, known)
            yield _backfill(conn, size, step, batch)
        with open_connection() as conn, _without_guards(conn):
            for statement in _CLEAN:
                conn.execute(statement, [] if "%%" in statement else None)
    with open_connection() as conn:
        conn.execute("vacuum analyze")


def _timed(
    conn: psycopg.Connection, operation: str, size: int, inputs: Sequence[Any], run: Callable[[Any], object]
) -> Cost:
    worked, took = [], []
    for given in inputs:
        began, began_work = time.perf_counter(), search.processor_time(conn)
        run(given)
        took.append((time.perf_counter() - began) * 1e6)
        worked.append((search.processor_time(conn) - began_work) * 1e3)
    warming = max(1, len(inputs) // 10)
    return Cost(operation, size, median(worked[warming:]), median(took[warming:]))


def _search(conn: psycopg.Connection, size: int, calls: int) -> Cost:
    """Questions that fill a page at every size: what is found costs too."""
    families = ("bert-1", "u-net-2", "vit-3", "gbm-4")
    words = ("weekly", "extract", "readmission", "risk")
    kinds: tuple[Callable[[int], dict[str, Any]], ...] = (
        lambda n: {"filter": {"family": families[n % 4]}},
        lambda n: {
            "filter": {"metric": "auroc", "op": "<=", "value": round(0.5 + n * 37 % 500 / 1000, 3)},
            "order_by": "metric:auroc",
        },
        lambda n: {"filter": {"text": words[n % 4]}},
        lambda n: {"filter": {"name_prefix": f"name-000{n % 2}", "is_latest": True}},
    )
    costs = [
        _timed(conn, "search", size, range(max(3, calls // 4)), lambda n, kind=kind: search.ask(conn, kind(n)))
        for kind in kinds
    ]
    return Cost("search", size, fmean(c.worked for c in costs), fmean(c.took for c in costs))


def _lineage(conn: psycopg.Connection, size: int, calls: int) -> Cost:
    asked = ("select * from model_lineage('grown-chain-1', 'descendants')",)
    asked += ("select * from model_lineage('grown-chain-100', 'ancestors')",)

    def ask(query: str) -> None:
        assert len(conn.execute(query, prepare=True).fetchall()) >= 100

    return _timed(conn, "lineage", size, [asked[n % 2] for n in range(calls)], ask)


def _register(
    conn: psycopg.Connection,
    size: int,
    take: Callable[[int, Callable[[int], str]], list[dict[str, Any]]],
    register: Callable[[psycopg.Connection, dict[str, Any]], str],
    calls: int,
    known: list[str],
) -> Cost:
    """New names, spread over all of them, and versions of twenty names in turn; the latter's ids go to known."""
    names = (lambda n: f"name-{n * 7919 % 1_000_000:06} new {n}", lambda n: f"name-{n % 20 * 4999:06} known")
    pairs = zip(*(take(calls, each) for each in names), strict=True)
    registered: list[str] = []
    models = [model for pair in pairs for model in pair]
    cost = _timed(conn, "register", size, models, lambda model: registered.append(register(conn, model)))
    known += registered[1::2]
    return cost


def _promote(conn: psycopg.Connection, size: int, registered: list[str]) -> Cost:
    query = "select superseded from promote_model(%s)"
    return _timed(conn, "promote", size, registered, lambda version: conn.execute(query, [version], prepare=True))


def _backfill(conn: psycopg.Connection, size: int, step: int, batch: int) -> Cost:
    """One batch of an adopted table whose other rows are backfilled already; planning it is not measured."""
    rows = _legacy_rows(batch)
    with _without_guards(conn):
        conn.execute(_BACK, [step * rows, (step + 1) * rows - 1])
    conn.execute("analyze artifacts")
    conn.execute("select _begin_backfill()")
    conn.execute("select from _backfill_batch(%s)", [rows - batch])
    began, began_work = time.perf_counter(), search.processor_time(conn)
    (done, *_) = conn.execute("select * from _backfill_batch(%s)", [batch]).fetchone() or (0,)
    took, worked = time.perf_counter() - began, search.processor_time(conn) - began_work
    assert done > batch // 2, done
    return Cost("backfill", size, worked * 1e3 / done, took * 1e6 / done)


@dataclass(frozen=True)
class Verdict:
    """How an operation's cost grew from the smallest size to the largest, beside the logarithm of the size."""

    operation: str
    costs: tuple[Cost, ...]

    @property
    def grew(self) -> float:
        """The cost at the largest size, as a multiple of that at the smallest."""
        first, last = self.costs[0], self.costs[-1]
        # Processor time where the system gives it: it does not wait for the disk, nor for others.
        return last.worked / first.worked if first.worked else last.took / first.took

    @property
    def log_grew(self) -> float:
        """The logarithm of the largest size, as a multiple of that of the smallest."""
        return math.log(self.costs[-1].size) / math.log(self.costs[0].size)


def verdicts(costs: Sequence[Cost]) -> list[Verdict]:
    """Put the costs of each operation together, by size."""
    return [
        Verdict(operation, tuple(cost for cost in costs if cost.operation == operation)) for operation in OPERATIONS
    ]
