"""What is measured. What is compared takes turns within one run, since a machine is never equally fast for long."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from benchmarks import floor
from benchmarks.documents import document, registration, size

REGISTRY, FLOOR = "atlas", "floor"
CHUNK = 5_000


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Args:
        rounds: How often what is compared takes turns.
        calls: Single registrations in each turn.
        bulk: Models registered in chunks of at most 5,000.
        documents: Documents validated in each turn.
        stock: Models that are there before anything is measured.
    """

    rounds: int
    calls: int
    bulk: int
    documents: int
    stock: int


FULL = Sizes(rounds=30, calls=100, bulk=100_000, documents=2_000, stock=5_000)
QUICK = Sizes(rounds=6, calls=50, bulk=20_000, documents=1_000, stock=1_000)
TINY = Sizes(rounds=2, calls=3, bulk=20, documents=10, stock=10)


@dataclass(frozen=True)
class Result:
    """One line of the table: what was measured, beside what it is compared with, and what it is to be."""

    part: str
    measured: str
    ours: str
    compared: str
    ratio: str
    target: str
    is_met: bool | None


class Models:
    """Models that were never used before, with their numbers."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int, names: Callable[[int], str]) -> list[dict[str, Any]]:
        """Return so many registrations, named by their numbers."""
        first, self._next = self._next, self._next + count
        return [registration(number, names(number)) for number in range(first, self._next)]

    def chunk(self, count: int, names: Callable[[int], str]) -> str:
        """Return so many registrations as one JSON array."""
        return json.dumps(self.take(count, names))


class Bench:
    """A database with the registry and, beside it, the floor, both with the same number of models in them."""

    def __init__(self, url: str, sizes: Sizes) -> None:
        self.url = url
        self.sizes = sizes
        self.models = Models()
        with self.connect(REGISTRY) as conn:
            floor.create(conn, REGISTRY, FLOOR)
            stock = self.models.chunk(sizes.stock, lambda number: f"stock {number % 1_000}")
            _register_many(conn, stock)
            conn.execute("set search_path = floor")
            floor.register_many(conn, stock)
            # With statistics, or both sides would be planned for empty tables.
            conn.execute("vacuum analyze")
            # Or writing out the new database would fall into the first measurements.
            conn.execute("checkpoint")

    def connect(self, schema: str) -> psycopg.Connection:
        """Open a connection that commits every statement, with a schema on its search_path."""
        return psycopg.connect(make_conninfo(self.url, options=f"-c search_path={schema}"), autocommit=True)

    def taking_turns(
        self, ours: Callable[[Any], Any], compared: Callable[[Any], Any], inputs: Iterator[tuple[Any, Any]]
    ) -> tuple[list[float], list[float]]:
        """Time both on their inputs, one after the other and each first in every second turn; in seconds."""
        times: tuple[list[float], list[float]] = ([], [])
        for turn, pair in enumerate(inputs):
            for side in (0, 1) if turn % 2 else (1, 0):
                began = time.perf_counter()
                (ours, compared)[side](pair[side])
                times[side].append(time.perf_counter() - began)
        return times

    # --- 1 ------------------------------------------------------------------------------------------------------------

    def register_model(self) -> Iterator[Result]:
        """One client, one prepared statement and transaction for each model."""
        for case, names in (
            ("new names", lambda number: f"new {number}"),
            ("versions of 200 names", lambda number: f"known {number % 200}"),
        ):
            yield self._register_model(case, names)

    def _register_model(self, case: str, names: Callable[[int], str]) -> Result:
        calls = self.sizes.calls

        def inputs() -> Iterator[tuple[Any, Any]]:
            # The first turns are for warming up: prepared statements, plans, the interpreter.
            for _ in range(self.sizes.rounds + 2):
                yield self.models.take(calls, names), self.models.take(calls, names)

        with self.connect(REGISTRY) as registry, self.connect(FLOOR) as plain:

            def ours(models: list[dict[str, Any]]) -> None:
                for model in models:
                    _register_model(registry, model)

            def compared(models: list[dict[str, Any]]) -> None:
                for model in models:
                    floor.register_one(plain, model)

            times = self.taking_turns(ours, compared, inputs())
        took, floor_took = (median(side[2:]) / calls for side in times)
        ratio = floor_took / took
        return Result(
            "1",
            f"register_model(), {case}",
            f"{1 / took:,.0f} a second ({took * 1e6:,.0f} µs)",
            f"{1 / floor_took:,.0f} a second ({floor_took * 1e6:,.0f} µs)",
            f"{ratio:.2f} of the floor's rate",
            "at least 0.6",
            ratio >= 0.6,
        )

    # --- 2 ------------------------------------------------------------------------------------------------------------

    def register_models(self) -> Iterator[Result]:
        """Chunks of 5,000, one call and transaction each."""
        bulk = self.sizes.bulk
        for case, names in (
            (f"{bulk:,} names", lambda number: f"bulk {number}"),
            ("100 names", lambda number: f"few {number % 100}"),
        ):
            yield self._register_models(case, names)

    def _register_models(self, case: str, names: Callable[[int], str]) -> Result:
        bulk = self.sizes.bulk

        def inputs() -> Iterator[tuple[Any, Any]]:
            for first in range(0, bulk, CHUNK):
                count = min(CHUNK, bulk - first)
                yield self.models.chunk(count, names), self.models.chunk(count, names)

        with self.connect(REGISTRY) as registry, self.connect(FLOOR) as plain:
            times = self.taking_turns(
                lambda models: _register_many(registry, models),
                lambda models: floor.register_many(plain, models),
                inputs(),
            )
        took, floor_took = (sum(side) for side in times)
        ratio = took / floor_took
        return Result(
            "2",
            f"{bulk:,} models by register_models(), {case}",
            f"{took:,.1f} s ({took / bulk * 1e6:,.0f} µs a model)",
            f"{floor_took:,.1f} s ({floor_took / bulk * 1e6:,.0f} µs a model)",
            f"{ratio:.2f} times the floor's time",
            "at most 2.5",
            ratio <= 2.5,
        )

    # --- 3 ------------------------------------------------------------------------------------------------------------

    def validation(self) -> Iterator[Result]:
        """Documents that alternate: the validator never sees the one that it answered for last."""
        count = self.sizes.documents
        with self.connect(REGISTRY) as conn:
            conn.execute("create temporary table documents (metadata jsonb)")
            with conn.cursor().copy("copy documents from stdin") as copy:
                for number in range(count):
                    copy.write_row([json.dumps(document(number))])
            yield self._one_validation(conn, count)
            yield self._validation_of_a_row(conn, count)

    def _one_validation(self, conn: psycopg.Connection, count: int) -> Result:
        query = "select count(*) filter (where {}) from documents"
        times = self.taking_turns(
            lambda _: conn.execute(query.format("is_valid_metadata('model', 1, metadata)"), prepare=True),
            lambda _: conn.execute(query.format("metadata is not null"), prepare=True),
            ((None, None) for _ in range(self.sizes.rounds + 1)),
        )
        # The first turn starts the interpreter.
        ours, nothing = (median(side[1:]) / count * 1e6 for side in times)
        return Result(
            "3",
            f"is_valid_metadata() of a document of {size(0)} bytes",
            f"{ours - nothing:.1f} µs",
            "",
            "",
            "at most 20 µs",
            ours - nothing <= 20,
        )

    def _validation_of_a_row(self, conn: psycopg.Connection, count: int) -> Result:
        for table in ("validated", "unchecked"):
            like = "create temporary table {} (like artifacts including all)"
            conn.execute(sql.SQL(like).format(sql.Identifier(table)))
        for constraint in ("artifacts_metadata_bounded", "artifacts_metadata_valid"):
            conn.execute(sql.SQL("alter table unchecked drop constraint {}").format(sql.Identifier(constraint)))
        triggers = conn.execute(
            """select pg_get_triggerdef(oid) from pg_trigger where tgrelid = 'artifacts'::regclass
            and tgname in ('artifacts_05_refuse_unbounded_number', 'artifacts_10_explain_metadata')"""
        ).fetchall()
        for (definition,) in triggers:
            conn.execute(definition.replace(f" ON {REGISTRY}.artifacts ", " ON validated "))
        insert = """
            insert into {} (id, artifact_type, name, metadata, metadata_schema_version, version_number)
            select 'model-' || n, 'model', 'name ' || n, metadata, 1, 1
            from (select metadata, row_number() over () as n from documents) as d
        """

        def write(table: str) -> Callable[[Any], None]:
            def run(_: Any) -> None:
                conn.execute(sql.SQL(insert).format(sql.Identifier(table)), prepare=True)

            return run

        def emptied() -> Iterator[tuple[Any, Any]]:
            for _ in range(self.sizes.rounds + 1):
                conn.execute("truncate validated, unchecked")
                yield None, None

        times = self.taking_turns(write("validated"), write("unchecked"), emptied())
        ours, without = (median(side[1:]) / count * 1e6 for side in times)
        return Result(
            "3",
            "a row with the trigger and the CHECK on its metadata, beside one without",
            f"{ours:.1f} µs",
            f"{without:.1f} µs",
            f"{ours - without:.1f} µs more",
            "at most 40 µs more",
            ours - without <= 40,
        )

    # --- 4 ------------------------------------------------------------------------------------------------------------

    def first_write(self) -> Iterator[Result]:
        """What a new connection waits for: the Python interpreter and the engine, started by its first validation."""
        first, second, plain = [], [], []
        for _ in range(max(2, self.sizes.rounds // 3)):
            models = self.models.take(2, lambda number: f"first {number}")
            with self.connect(REGISTRY) as conn:
                conn.execute("select 1")
                began = time.perf_counter()
                conn.execute("select register_artifact('dataset', 'Admissions')")
                plain.append(time.perf_counter() - began)
                for model, times in zip(models, (first, second), strict=True):
                    began = time.perf_counter()
                    _register_model(conn, model)
                    times.append(time.perf_counter() - began)
        for what, times in (
            ("first validated write of a connection", first),
            ("second validated write", second),
            ("a dataset, which is not validated", plain),
        ):
            yield Result("4", what, f"{median(times) * 1e3:.1f} ms", "", "", "reported", None)


_NAMED = ", ".join(f"{name} => %({name})s" for name in registration(0, ""))
_REGISTER_MODEL = f"select artifact_id, version_number, created from register_model({_NAMED})"


def _register_model(conn: psycopg.Connection, model: dict[str, Any]) -> None:
    conn.execute(_REGISTER_MODEL, model | {"metadata": json.dumps(model["metadata"])}, prepare=True).fetchone()


def _register_many(conn: psycopg.Connection, models: str) -> int:
    query = "select artifact_id, version_number, created from register_models(%s)"
    return len(conn.execute(query, [models]).fetchall())


PARTS: dict[str, Callable[[Bench], Iterator[Result]]] = {
    "one": Bench.register_model,
    "many": Bench.register_models,
    "validation": Bench.validation,
    "first": Bench.first_write,
}
