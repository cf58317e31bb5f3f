"""What is measured. What is compared takes turns within one run, since a machine is never equally fast for long."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import median, quantiles
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from atlas_models import migration_runner
from benchmarks import anatomy, backfill, first_write, floor, growth, peers, processes, search, validators
from benchmarks.documents import document, large_document, registration, size

REGISTRY, FLOOR, BARE = "atlas", "floor", "bare"
CHUNK = 5_000


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Args:
        rounds: How often what is compared takes turns.
        calls: Single registrations in each turn.
        bulk: Models registered in chunks of at most 5,000.
        more: The same once more, as many as a whole catalogue has.
        documents: Documents validated in each turn.
        stock: Models that are there before anything is measured.
        legacy: Rows of an old catalogue that is backfilled.
        versions: Model versions that are searched.
        questions: Questions of each kind.
        beside: Model versions that the same is asked of in MLflow.
        clients: How many clients register at once.
        batch: Legacy rows that are backfilled at once while the registry grows.
    """

    rounds: int
    calls: int
    bulk: int
    more: int
    documents: int
    stock: int
    legacy: int
    versions: int
    questions: int
    beside: int
    clients: tuple[int, ...] = (1, 4)
    batch: int = 1_000


FULL = Sizes(
    rounds=30,
    calls=100,
    bulk=100_000,
    more=1_000_000,
    documents=2_000,
    stock=5_000,
    legacy=50_000,
    versions=1_000_000,
    questions=100,
    beside=10_000,
)
QUICK = Sizes(
    rounds=6,
    calls=50,
    bulk=20_000,
    more=50_000,
    documents=1_000,
    stock=1_000,
    legacy=10_000,
    versions=100_000,
    questions=30,
    beside=2_000,
)
TINY = Sizes(
    rounds=2,
    calls=3,
    bulk=20,
    more=40,
    documents=10,
    stock=10,
    legacy=40,
    versions=300,
    questions=3,
    beside=80,
    clients=(1,),
    batch=20,
)


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

    def __init__(self, url: str, sizes: Sizes, *, is_filled: bool = False) -> None:
        self.url = url
        self.sizes = sizes
        self.costs: list[growth.Cost] = []
        self.models = Models()
        if is_filled:
            return
        with self.connect(REGISTRY) as conn:
            floor.create(conn, REGISTRY, FLOOR)
            if sizes.stock:
                stock = self.models.chunk(sizes.stock, lambda number: f"stock {number % 1_000}")
                _register_many(conn, stock)
                conn.execute("set search_path = floor")
                floor.register_many(conn, stock)
            # With statistics, or both sides would be planned for empty tables.
            conn.execute("vacuum analyze")
            # Or writing out the new database would fall into the first measurements.
            conn.execute("checkpoint")

    def connect(self, schema: str, **settings: str) -> psycopg.Connection:
        """Open a connection that commits every statement, with a schema on its search_path, and other settings."""
        options = " ".join(f"-c {name}={value}" for name, value in {"search_path": schema, **settings}.items())
        return psycopg.connect(make_conninfo(self.url, options=options), autocommit=True)

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
                    register_model(registry, model)

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
        bulk, more = self.sizes.bulk, self.sizes.more
        for count, case, names in (
            (bulk, f"{bulk:,} names", lambda number: f"bulk {number}"),
            (bulk, "100 names", lambda number: f"few {number % 100}"),
            (more, f"{more // 8:,} names", lambda number: f"more {number // 8}"),
        ):
            yield from self._register_models(count, case, names)

    def _register_models(self, bulk: int, case: str, names: Callable[[int], str]) -> Iterator[Result]:
        held: list[int] = []

        def inputs() -> Iterator[tuple[Any, Any]]:
            for first in range(0, bulk, CHUNK):
                count = min(CHUNK, bulk - first)
                yield self.models.chunk(count, names), self.models.chunk(count, names)

        with self.connect(REGISTRY) as registry, self.connect(FLOOR) as plain:

            def ours(models: str) -> None:
                _register_many(registry, models)
                held.append(processes.held(registry.info.backend_pid))

            times = self.taking_turns(ours, lambda models: floor.register_many(plain, models), inputs())
        took, floor_took = (sum(side) for side in times)
        ratio = took / floor_took
        yield Result(
            "2",
            f"{bulk:,} models by register_models(), {case}",
            f"{took:,.1f} s ({took / bulk * 1e6:,.0f} µs a model)",
            f"{floor_took:,.1f} s ({floor_took / bulk * 1e6:,.0f} µs a model)",
            f"{ratio:.2f} times the floor's time",
            "at most 2.5",
            ratio <= 2.5,
        )
        if bulk == self.sizes.more:
            # The first chunk makes the plans, and starts the interpreter.
            first, last = max(held[1:4], default=held[0]), max(held[-3:])
            yield Result(
                "2",
                "memory of its session, with the last three chunks beside the second to fourth",
                f"{last / 2**20:.0f} MiB",
                f"{first / 2**20:.0f} MiB",
                f"{(last - first) / 2**20:+.0f} MiB",
                "flat: at most 16 MiB more",
                last - first <= 16 * 2**20,
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
        yield from self._validation_of_a_row()

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

    def _validation_of_a_row(self) -> Iterator[Result]:
        with validators.python_jsonschema() as folder, self.connect(REGISTRY) as conn:
            tables = validators.make_tables(conn, REGISTRY, folder)
            for write, count, limit in (
                (document, self.sizes.documents, 40),
                (large_document, max(5, self.sizes.documents // 10), None),
            ):
                costs = validators.measure(conn, tables, write, count, self.sizes.rounds)
                ours = costs.validated - costs.unchecked
                what = f"a row of {size(0, write) / 1000:.1f} kB"
                yield Result(
                    "3",
                    f"{what} with the trigger and the CHECK on its metadata, beside one without",
                    f"{costs.validated:.1f} µs",
                    f"{costs.unchecked:.1f} µs",
                    f"{ours:.1f} µs more",
                    f"at most {limit} µs more" if limit else "reported",
                    ours <= limit if limit else None,
                )
                if costs.pythonic is not None:
                    theirs = costs.pythonic - costs.unchecked
                    yield Result(
                        "3",
                        f"{what}, the same, beside one with a CHECK by python-jsonschema",
                        f"{ours:.1f} µs more than without",
                        f"{theirs:,.1f} µs more than without",
                        f"{theirs / ours:.1f} times as much as ours",
                        "reported",
                        None,
                    )

    # --- 4 ------------------------------------------------------------------------------------------------------------

    def first_write(self) -> Iterator[Result]:
        """What a new connection waits for: the Python interpreter and the engine, started by its first validation."""
        rounds = max(3, self.sizes.rounds // 2)
        for result in first_write.measure(self.connect, self.models.take, register_model, REGISTRY, rounds):
            yield Result("4", *result)

    # --- 5 ------------------------------------------------------------------------------------------------------------

    def backfill(self) -> Iterator[Result]:
        """An old catalogue that was taken over, by one session and by two, beside its rows written plainly by one."""
        alone, plainly, together = backfill.measure(make_conninfo(self.url, dbname="postgres"), self.sizes.legacy)
        assert isinstance(alone, backfill.Run)
        assert isinstance(together, backfill.Run)
        for run in (alone, together):
            each = run.seconds / run.rows
            yield Result(
                "5",
                f"{run.rows:,} legacy rows backfilled, {run.sessions} session{'s' * (run.sessions > 1)}",
                f"{run.seconds:,.1f} s ({each * 1e6:,.0f} µs a row)",
                f"{plainly.seconds:,.1f} s ({plainly.seconds / plainly.rows * 1e6:,.0f} µs a row)",
                f"{run.seconds / plainly.seconds:.2f} times the floor's time",
                "a million in five minutes: at most 300 µs a row" if run is together else "reported",
                each <= 300e-6 if run is together else None,
            )
        held = alone.memory
        yield Result(
            "5",
            "memory of its session, with the last batches beside the first",
            f"{held.last / 2**20:.0f} MiB",
            f"{held.first / 2**20:.0f} MiB ({held.planning / 2**20:.0f} MiB at most while it plans)",
            f"{(held.last - held.first) / 2**20:+.0f} MiB",
            "flat: at most 16 MiB more",
            held.last - held.first <= 16 * 2**20,
        )

    # --- 6 ------------------------------------------------------------------------------------------------------------

    def history(self) -> Iterator[Result]:
        """A registration beside the same one in a registry whose history was switched off."""
        migration_runner.migrate(self.url, schema=BARE)
        with self.connect(BARE) as conn:
            for table, trigger in _HISTORY_OF_REGISTRATIONS:
                conn.execute(
                    sql.SQL("alter table {} disable trigger {}").format(*map(sql.Identifier, (table, trigger)))
                )
            _register_many(conn, self.models.chunk(self.sizes.stock, lambda number: f"stock {number % 1_000}"))
            conn.execute("vacuum analyze")
            conn.execute("checkpoint")
        calls, chunk = self.sizes.calls, min(CHUNK, self.sizes.bulk)
        chunks = max(2, min(10, self.sizes.bulk // CHUNK))
        for case, names in (
            ("new names", lambda n: f"one {n}"),
            ("versions of 200 names", lambda n: f"known {n % 200}"),
        ):
            inputs = (
                (self.models.take(calls, names), self.models.take(calls, names)) for _ in range(self.sizes.rounds + 2)
            )
            yield self._history(f"register_model(), {case}", calls, _register_each, inputs)
        for case, names in (("a name each", lambda n: f"bulk {n}"), ("100 names", lambda n: f"few {n % 100}")):
            inputs = ((self.models.chunk(chunk, names), self.models.chunk(chunk, names)) for _ in range(chunks + 2))
            yield self._history(f"register_models() of {chunk:,}, {case}", chunk, _register_many, inputs)

    def _history(
        self, measured: str, models: int, register: Callable[[psycopg.Connection, Any], Any], inputs: Iterator[Any]
    ) -> Result:
        with self.connect(REGISTRY) as registry, self.connect(BARE) as bare:
            times = self.taking_turns(
                lambda given: register(registry, given), lambda given: register(bare, given), inputs
            )
        # The first turns are for warming up.
        took, bare_took = (median(side[2:]) / models for side in times)
        more = took / bare_took - 1
        return Result(
            "6",
            f"{measured}, with its history",
            f"{took * 1e6:,.0f} µs a model",
            f"{bare_took * 1e6:,.0f} µs without",
            f"{more:.0%} more",
            "at most 40 % more",
            more <= 0.4,
        )

    # --- 7 ------------------------------------------------------------------------------------------------------------

    def promotion(self) -> Iterator[Result]:
        """Promotions that ten gates and both policies look at, each superseding the one before."""
        metrics = {f"metric {number}": 0.9 + number / 1_000 for number in range(10)}
        count = self.sizes.rounds * 10
        with self.connect(REGISTRY) as conn:
            conn.execute("select set_promotion_policy(null, require_code_pin => true, require_evaluation => true)")
            models = self.models.take(count, lambda number: f"gated {number % 20}")
            versions = [register_model(conn, model) for model in models]
            for version in versions:
                query = "select record_evaluation(%s, benchmark_id => 'holdout', metrics => %s)"
                conn.execute(query, [version, json.dumps(metrics)])
            without = self._promotions(conn, versions[: count // 2])
            for number, metric in enumerate(metrics):
                query = "select set_promotion_gate(%s, '>=', 0.9, model_name => %s, benchmark_id => %s)"
                # Five for every model; five by name, benchmark and all.
                for name in [None] if number < 5 else [f"gated {name}" for name in range(20)]:
                    conn.execute(query, [metric, name, "holdout" if name else None])
            took = self._promotions(conn, versions[count // 2 :])
            (asked,) = conn.execute("select count(*) from check_gates(%s)", [versions[-1]]).fetchone() or (0,)
            assert asked == 12  # and both policies
        yield Result("7", "promote_model(), no gates", f"{without * 1e3:.2f} ms", "", "", "reported", None)
        yield Result("7", "promote_model(), ten gates", f"{took * 1e3:.2f} ms", "", "", "at most 3 ms", took <= 0.003)

    def _promotions(self, conn: psycopg.Connection, versions: list[str]) -> float:
        times = []
        for version in versions:
            began = time.perf_counter()
            conn.execute("select superseded from promote_model(%s)", [version], prepare=True)
            times.append(time.perf_counter() - began)
        return median(times)

    # --- 8 ------------------------------------------------------------------------------------------------------------

    def search(self) -> Iterator[Result]:
        """Ten kinds of question, each asked with arguments of its own again and again."""
        with self.connect(REGISTRY) as conn:
            search.fill(conn, self.sizes.versions)
            search.warm(conn)
            for asked in search.measure(conn, self.sizes.versions, self.sizes.questions):
                middle, most = median(asked.times), quantiles(asked.times, n=20)[-1]
                yield Result(
                    "8",
                    f"{self.sizes.versions:,} versions: {asked.name}",
                    f"median {middle:.1f} ms, 95 % within {most:.1f} ms",
                    f"of it worked: {median(asked.worked):.1f} ms, {quantiles(asked.worked, n=20)[-1]:.1f} ms",
                    f"reads whole: {', '.join(sorted(asked.read_whole)) or 'nothing'}",
                    "10 ms, 30 ms, by indexes",
                    middle < 10 and most < 30 and not asked.read_whole,
                )
            share = min(1.0, self.sizes.versions / FULL.versions)
            search.fill_lineage(conn, share)
            for what, times, limit in search.measure_others(conn, share, rounds=max(3, self.sizes.rounds // 2)):
                yield Result(
                    "8", what, f"median {median(times):.3f} s", "", "", f"under {limit:g} s", median(times) < limit
                )

        if peers.is_installed():
            yield from self._search_beside()

    def _search_beside(self) -> Iterator[Result]:
        """What can be asked of MLflow too, by both sides' Python."""
        beside, kinds = self.sizes.beside, {kind.name: kind for kind in search.KINDS}
        for question, times, worked in peers.search(self.url, beside, self.sizes.questions):
            ours = median(search.ask_client(self.url, kinds[question.kind], self.sizes.versions, self.sizes.questions))
            theirs = median(times)
            yield Result(
                "8",
                f"Registry.search() beside MLflow's store, {question.name}",
                f"median {ours:.1f} ms of {self.sizes.versions:,} versions",
                f"median {theirs:.1f} ms of {beside:,} versions (of it the server worked {median(worked):.1f} ms)",
                f"{theirs / ours:.1f} times as long for {beside / self.sizes.versions:.0%} of the versions",
                "reported",
                None,
            )

    # --- 9 ------------------------------------------------------------------------------------------------------------

    def peers(self) -> Iterator[Result]:
        """Registrations by clients in processes of their own: the floor, the function, the client, MLflow's store."""
        kinds = peers.KINDS if peers.is_installed() else peers.KINDS[:-1]
        rounds = max(1, self.sizes.rounds // 3)
        for rates in peers.measure(self.url, self.models.take, self.sizes.calls, rounds, self.sizes.clients, kinds):
            who = f"{rates.clients} client{'s' * (rates.clients > 1)}"
            a_second = {kind: rates.median(kind) for kind in kinds}
            for kind, what in (("function", "register_model()"), ("client", "Registry.register_model()")):
                ratio = a_second[kind] / a_second["floor"]
                is_asked = kind == "function"
                yield Result(
                    "9",
                    f"{what}, {rates.case}, {who}",
                    f"{a_second[kind]:,.0f} a second",
                    f"the floor: {a_second['floor']:,.0f} a second",
                    f"{ratio:.2f} of the floor's rate",
                    "at least 0.55" if is_asked else "reported",
                    ratio >= 0.55 if is_asked else None,
                )
            if "mlflow" not in kinds:
                continue
            gave_up = f", {rates.gave_up} gave up" if rates.gave_up else ""
            many = f"Registry.register_models(), {self.sizes.calls * peers.BULK:,} a call"
            for kind, what, least in (("client", "Registry.register_model()", 15), ("bulk", many, None)):
                times = a_second[kind] / a_second["mlflow"]
                yield Result(
                    "9",
                    f"{what}, {rates.case}, {who}",
                    f"{a_second[kind]:,.0f} a second",
                    f"MLflow: {a_second['mlflow']:,.0f} a second{gave_up}",
                    f"{times:.1f} times MLflow's rate",
                    f"at least {least} times" if least else "reported",
                    times >= least if least else None,
                )

    # --- 10 -----------------------------------------------------------------------------------------------------------

    def growth(self) -> Iterator[Result]:
        """One operation at a thousandth, a hundredth and a tenth of the versions that are searched, and at all."""
        costs = []
        for cost in growth.measure(
            lambda: self.connect(REGISTRY),
            self.models.take,
            register_model,
            self.sizes.versions,
            self.sizes.calls,
            self.sizes.batch,
        ):
            costs.append(cost)
            worked = f"worked {cost.worked:,.0f} µs, took {cost.took:,.0f} µs"
            print(f"    {growth.OPERATIONS[cost.operation]} at {cost.size:,}: {worked}", flush=True)
        self.costs = costs
        for verdict in growth.verdicts(costs):
            sizes = " / ".join(f"{cost.size:,}" for cost in verdict.costs)
            yield Result(
                "10",
                f"{growth.OPERATIONS[verdict.operation]}, of {sizes} versions",
                "worked " + " / ".join(f"{cost.worked:,.0f}" for cost in verdict.costs) + " µs",
                "took " + " / ".join(f"{cost.took:,.0f}" for cost in verdict.costs) + " µs",
                f"{verdict.grew:.2f} times from first to last",
                f"no faster than log n: at most {verdict.log_grew:.2f} times",
                verdict.grew <= verdict.log_grew,
            )

    # --- 11 -----------------------------------------------------------------------------------------------------------

    def anatomy(self) -> Iterator[Result]:
        """What a registration costs less where one thing at a time is left out, in the server's processor time."""
        whole, parts = anatomy.measure(
            self.connect, self.url, self.models.take, register_model, self.sizes.calls, self.sizes.rounds
        )
        parts[anatomy.REST] = whole - sum(parts.values())
        for name, each in parts.items():
            share = f"{each / whole:.0%}" if whole else ""
            yield Result(
                "11", f"of register_model(): {name}", f"{each:,.0f} µs", f"of {whole:,.0f} µs", share, "reported", None
            )


def fresh(url: str, sizes: Sizes) -> Bench:
    """A new database, with the registry and the floor."""
    migration_runner.migrate(url, schema=REGISTRY)
    return Bench(url, sizes)


def growing(url: str, sizes: Sizes) -> Bench:
    """A new database that took an old table over, whose rows are put aside: for the parts that grow and search it."""
    with psycopg.connect(url, autocommit=True) as conn:
        growth.lay_down(conn, sizes.versions, sizes.batch)
    # Searched is what the generator makes: thousands of other models, newer than all of it, are another case.
    bench = fresh(url, replace(sizes, stock=0))
    with bench.connect(REGISTRY) as conn:
        growth.put_aside(conn)
    return bench


_HISTORY_OF_REGISTRATIONS = (
    ("artifacts", "artifacts_90_record_registrations"),
    ("artifacts", "artifacts_90_record_artifact_changes"),
)

_NAMED = ", ".join(f"{name} => %({name})s" for name in registration(0, ""))
_REGISTER_MODEL = f"select artifact_id, version_number, created from register_model({_NAMED})"


def register_model(conn: psycopg.Connection, model: dict[str, Any]) -> str:
    given = model | {"metadata": json.dumps(model["metadata"])}
    return str((conn.execute(_REGISTER_MODEL, given, prepare=True).fetchone() or [""])[0])


def _register_each(conn: psycopg.Connection, models: list[dict[str, Any]]) -> None:
    for model in models:
        register_model(conn, model)


def _register_many(conn: psycopg.Connection, models: str) -> int:
    query = "select artifact_id, version_number, created from register_models(%s)"
    return len(conn.execute(query, [models]).fetchall())


PARTS: dict[str, Callable[[Bench], Iterator[Result]]] = {
    "one": Bench.register_model,
    "many": Bench.register_models,
    "validation": Bench.validation,
    "first": Bench.first_write,
    "backfill": Bench.backfill,
    "history": Bench.history,
    "promotion": Bench.promotion,
    "anatomy": Bench.anatomy,
    "peers": Bench.peers,
    "growth": Bench.growth,
    "search": Bench.search,
}
