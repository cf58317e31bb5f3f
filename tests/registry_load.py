"""Writers that register, evaluate and promote, each noting what was acknowledged before it does the next."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import psycopg

from atlas_models import ConnectionFailed, Registry
from atlas_models.results import RegisteredModel
from consistency import broken_rules
from factories import internal_metadata
from waiting import wait_until

T = TypeVar("T")

NAMES = ("churn", "credit-risk", "credit-limit", "fraud")
MODELS_OF_AN_ARRAY = 3
_MOST_FAILURES_OF_A_CALL = 10_000
# What a server that dies or has no space answers. Anything else is a fault, and ends the writer.
_INTERRUPTIONS = (ConnectionFailed, psycopg.errors.DiskFull)


class Acknowledged(NamedTuple):
    """A registration that was answered."""

    name: str
    version_number: int
    artifact_id: str


class Gate:
    """Lets writers pass or has them wait; who closes it can wait until all stand before it."""

    def __init__(self) -> None:
        self._is_open = True
        self._waiting = 0
        self._changed = threading.Condition()

    def pass_through(self) -> None:
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: self._is_open)
            self._waiting -= 1

    def close(self) -> None:
        with self._changed:
            self._is_open = False

    def open(self) -> None:
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        return self._waiting


class Writer(threading.Thread):
    """One client: a registry on a URL, and its notes."""

    def __init__(self, number: int, url: str, gate: Gate) -> None:
        super().__init__(name=f"writer {number}", daemon=True)
        self.asked: dict[str, str] = {}  # idempotency key → name, noted before the call
        self.acknowledged: dict[str, Acknowledged] = {}  # by idempotency key, noted after it
        self.arrays: list[list[str]] = []  # the keys of each array
        self.evaluated: dict[str, str] = {}  # benchmark → artifact id
        self.promoted: list[str] = []
        self.interrupted = 0
        self.is_to_stop = False
        self.failure: BaseException | None = None
        self.prefix = f"{number}-"  # of its keys and benchmarks
        self._turn = itertools.count()
        self._gate = gate
        self._chance = random.Random(number)
        self._registry = Registry(url)
        self._candidates: list[str] = []

    def run(self) -> None:
        try:
            with self._registry:
                while not self.is_to_stop:
                    self._do_something()
        except BaseException as error:
            self.failure = error

    def _do_something(self) -> None:
        draw = self._chance.random()
        if draw < 0.5 or not self._candidates:
            self._register()
        elif draw < 0.65:
            self._register_array()
        elif draw < 0.85:
            self._evaluate()
        else:
            self._promote()

    def _register(self) -> None:
        name, key = self._ask()
        metadata = internal_metadata()
        self._note(key, self._until_answered(lambda r: r.register_model(name, metadata, idempotency_key=key)))

    def _register_array(self) -> None:
        asked = [self._ask() for _ in range(MODELS_OF_AN_ARRAY)]
        self.arrays.append([key for _, key in asked])
        models = [{"name": name, "metadata": internal_metadata(), "idempotency_key": key} for name, key in asked]
        if made := self._until_answered(lambda r: r.register_models(models)):
            for (_, key), one in zip(asked, made, strict=True):
                self._note(key, one)

    def _ask(self) -> tuple[str, str]:
        name, key = self._chance.choice(NAMES), f"{self.prefix}{len(self.asked)}"
        self.asked[key] = name
        return name, key

    def _note(self, key: str, made: RegisteredModel | None) -> None:
        if made is not None:
            self.acknowledged[key] = Acknowledged(self.asked[key], made.version_number, made.artifact_id)
            self._candidates.append(made.artifact_id)

    def _evaluate(self) -> None:
        artifact_id, benchmark = self._chance.choice(self._candidates), f"{self.prefix}{next(self._turn)}"
        metrics = {"auroc": self._chance.random()}
        # The database recognises it by its arguments, so that it may be repeated, too.
        if self._until_answered(lambda r: r.record_evaluation(artifact_id, metrics, benchmark_id=benchmark)):
            self.evaluated[benchmark] = artifact_id

    def _promote(self) -> None:
        artifact_id = self._candidates.pop(self._chance.randrange(len(self._candidates)))
        self._gate.pass_through()
        if self.is_to_stop:
            return
        try:
            self._registry.promote(artifact_id)
        except _INTERRUPTIONS:
            self.interrupted += 1  # whether it was done is unknown, and it is not repeated
        else:
            self.promoted.append(artifact_id)

    def _until_answered(self, call: Callable[[Registry], T]) -> T | None:
        for _ in range(_MOST_FAILURES_OF_A_CALL):
            self._gate.pass_through()
            if self.is_to_stop:
                return None
            try:
                return call(self._registry)
            except _INTERRUPTIONS:
                self.interrupted += 1
        raise AssertionError(f"no answer after {_MOST_FAILURES_OF_A_CALL} tries")


class Load:
    """Several writers at once, on the same few names."""

    def __init__(self, url: str, writers: int) -> None:
        self._url = url
        self._gate = Gate()
        self.writers = [Writer(number, url, self._gate) for number in range(writers)]

    def start(self) -> None:
        for writer in self.writers:
            writer.start()

    def hold(self) -> None:
        """Has the writers wait before their next call."""
        self._gate.close()

    def go_on(self) -> None:
        self._gate.open()

    def stop(self) -> None:
        """Ends the writers, each after its call; those that are held make none any more."""
        for writer in self.writers:
            writer.is_to_stop = True
        self._gate.open()
        for writer in self.writers:
            writer.join(timeout=60)
            assert not writer.is_alive()
        self._raise_failures()

    def wait_until_held(self) -> None:
        """Waits until every writer has had its answer, or its error, and waits."""
        self._wait_until(lambda: self._gate.waiting == len(self.writers), "the writers to have their answers")

    def wait_for(self, acknowledged: int) -> None:
        """Waits until so many more registrations were acknowledged."""
        aim = self.acknowledged + acknowledged
        self._wait_until(lambda: self.acknowledged >= aim, f"{acknowledged} more acknowledged registrations")

    def wait_for_interruptions(self, calls: int) -> None:
        """Waits until so many more calls were answered by a lost connection, or for want of space."""
        aim = self.interrupted + calls
        self._wait_until(lambda: self.interrupted >= aim, f"{calls} more interrupted calls")

    def _wait_until(self, condition: Callable[[], bool], what: str) -> None:
        def holds() -> bool:
            self._raise_failures()
            return condition()

        wait_until(holds, what)

    def _raise_failures(self) -> None:
        for writer in self.writers:
            if writer.failure is not None:
                raise writer.failure

    @property
    def acknowledged(self) -> int:
        return sum(len(writer.acknowledged) for writer in self.writers)

    @property
    def interrupted(self) -> int:
        return sum(writer.interrupted for writer in self.writers)

    def summary(self) -> str:
        """Says how much was done."""
        evaluations, promotions = (
            sum(len(getattr(writer, what)) for writer in self.writers) for what in ("evaluated", "promoted")
        )
        return (
            f"{self.acknowledged} registrations, {evaluations} evaluations and {promotions} promotions acknowledged,"
            f" {self.interrupted} calls interrupted"
        )

    def differences(self) -> list[str]:
        """Compares what was noted with what stands in the database, by the rules, too. Empty when all is well."""
        with psycopg.connect(self._url, autocommit=True) as conn:
            found = [f"{rule}: {rows}" for rule, rows in broken_rules(conn).items()]
            for writer in self.writers:
                found += _differences(conn, writer)
        return found


def _differences(conn: psycopg.Connection, writer: Writer) -> list[str]:
    prefix = writer.prefix
    query = """
        select v.idempotency_key, v.model_name, a.version_number, v.artifact_id
        from model_versions as v inner join artifacts as a on v.artifact_id = a.id
        where starts_with(v.idempotency_key, %s)
    """
    rows = conn.execute(query, [prefix]).fetchall()
    stored = {key: Acknowledged(*row) for key, *row in rows}
    evaluated = conn.execute(
        "select benchmark_id, artifact_id from model_evaluations where starts_with(benchmark_id, %s)", [prefix]
    ).fetchall()
    promoted = conn.execute(
        "select artifact_id from model_events where action = 'promoted' and artifact_id = any(%s)", [writer.promoted]
    ).fetchall()
    found = []
    if len(stored) != len(rows):
        found.append(f"a key stands for two versions: {sorted(rows)}")
    if lost := set(writer.acknowledged.items()) - set(stored.items()):
        found.append(f"acknowledged, and not there as it was acknowledged: {sorted(lost)}")
    if unasked := {key for key, one in stored.items() if writer.asked.get(key) != one.name}:
        found.append(f"there, and never asked for: {sorted(unasked)}")
    if parts := [array for array in writer.arrays if len(set(array) & set(stored)) not in (0, len(array))]:
        found.append(f"a part of an array: {parts}")
    if len(dict(evaluated)) != len(evaluated):
        found.append(f"an evaluation stands twice: {sorted(evaluated)}")
    if lost_evaluations := set(writer.evaluated.items()) - set(evaluated):
        found.append(f"evaluations that were acknowledged, and are not there: {sorted(lost_evaluations)}")
    if sorted(writer.promoted) != sorted(artifact_id for (artifact_id,) in promoted):
        found.append(f"promotions that were acknowledged, {sorted(writer.promoted)}, and that are: {sorted(promoted)}")
    return [f"{writer.name}: {difference}" for difference in found]


@contextmanager
def load(url: str, writers: int = 6) -> Iterator[Load]:
    """Runs writers during a block; at its end the server must be up, or the writers held."""
    running = Load(url, writers)
    running.start()
    try:
        yield running
    finally:
        running.stop()
