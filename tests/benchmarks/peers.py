"""The registry beside the floor and MLflow's store: the same registrations, by clients in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks import mlflow_rows

VERSION = "3.17.2"
ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "build" / f"mlflow-{VERSION}"
SCRIPT = Path(__file__).with_name("clients.py")
KINDS = ("floor", "function", "client", "bulk", "mlflow")
# How many times as many are registered by one call as by single ones in each turn.
BULK = 10


def is_installed() -> bool:
    """Whether MLflow's environment is there."""
    return (ENVIRONMENT / "installed").exists()


def install() -> None:
    """Make a virtual environment with MLflow below build/, unless it is there; takes a minute or two."""
    if is_installed():
        return
    print(f"installing MLflow {VERSION} into {ENVIRONMENT.relative_to(ROOT)}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True)
    wanted = [f"mlflow=={VERSION}", "psycopg2-binary"]
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", *wanted], check=True)
    (ENVIRONMENT / "installed").touch()


def versions() -> str:
    """MLflow's version and those of what it writes by."""
    query = "from importlib.metadata import version as v; print(v('mlflow'), v('sqlalchemy'), v('psycopg2-binary'))"
    command = [str(ENVIRONMENT / "bin" / "python"), "-I", "-c", query]
    mlflow, sqlalchemy, driver = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return f"MLflow {mlflow} with SQLAlchemy {sqlalchemy} and psycopg2 {driver}"


class Client:
    """A process that registers, see clients.py."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.gave_up = 0
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the process
        if kind == "mlflow":
            given = conninfo_to_dict(url)
            url = "postgresql+psycopg2://{user}@{host}:{port}/{dbname}".format(**given)
            # Isolated: what lies beside the script is nothing of MLflow's.
            command = [str(ENVIRONMENT / "bin" / "python"), "-I", str(SCRIPT)]
        else:
            command = [sys.executable, "-m", "benchmarks.clients"]
        self._process = subprocess.Popen(
            [*command, kind, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ
            | {"PYTHONPATH": str(ROOT / "tests"), "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
        )
        self.hear()

    def say(self, request: dict[str, Any]) -> None:
        """Ask for something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for the answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"the {self.kind} client ended: {self._errors.read()[-2000:]}")
        return dict(json.loads(line))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._errors.close()


@contextmanager
def clients(kind: str, url: str, count: int) -> Iterator[list[Client]]:
    """So many clients of a kind."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):  # one after the other: MLflow's first makes its tables
            opened.append(Client(kind, url))
            stack.callback(opened[-1].close)
        yield opened


def register(asked: Sequence[Client], models: list[dict[str, Any]], *, is_new: bool) -> float:
    """Share models out among clients; gives the seconds from the common start until the last of them is done.

    Each client counts what was not registered, since its start, in ``gave_up``.
    """
    for place, client in enumerate(asked):
        client.say({"register": models[place :: len(asked)], "is_new": is_new})
    for client in asked:
        client.hear()
    began = time.perf_counter()
    for client in asked:
        client.say({})
    for client in asked:
        client.gave_up = client.hear()["failed"]
    return time.perf_counter() - began


@dataclass
class Rates:
    """What one case came to: registrations a second of each kind, turn by turn."""

    case: str
    clients: int
    a_second: dict[str, list[float]] = field(default_factory=dict)
    gave_up: int = 0

    def median(self, kind: str) -> float:
        """The middle of the turns."""
        return median(self.a_second[kind])


def mlflow_database(url: str) -> str:
    """URL of a new database for MLflow, on the server of another."""
    name = f"{conninfo_to_dict(url)['dbname']}_mlflow"
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as conn:
        conn.execute(f"create database {name}")
    return make_conninfo(url, dbname=name)


def measure(
    url: str,
    take: Callable[[int, Callable[[int], str]], list[dict[str, Any]]],
    calls: int,
    rounds: int,
    counts: Sequence[int] = (1, 4),
    kinds: Sequence[str] = KINDS,
) -> Iterator[Rates]:
    """Register the same by each kind in turn: new names, and versions of names that are known.

    Args:
        url: The database that holds the registry and the floor.
        take: Gives so many registrations, named by their numbers.
        calls: Registrations of each client in each turn.
        rounds: How often the kinds take turns; two more before are for warming up.
        counts: How many clients register at once.
        kinds: What is compared.
    """
    urls = dict.fromkeys(kinds, url)
    if "mlflow" in kinds:
        urls["mlflow"] = mlflow_database(url)
    cases = (
        ("new names", lambda number: f"peer {number}"),
        ("versions of 200 names", lambda number: f"peers' {number % 200}"),
    )
    with ExitStack() as stack:
        opened = {kind: stack.enter_context(clients(kind, urls[kind], max(counts))) for kind in kinds}
        for kind in kinds:  # the names that are known
            register(opened[kind][:1], take(200, cases[1][1]), is_new=True)
        gave_up = 0
        for case, names in cases:
            for count in counts:
                rates = Rates(case, count, {kind: [] for kind in kinds})
                for turn in range(rounds + 2):
                    for step in range(len(kinds)):
                        kind = kinds[(turn + step) % len(kinds)]
                        models = take(calls * count * (BULK if kind == "bulk" else 1), names)
                        seconds = register(opened[kind][:count], models, is_new=case == "new names")
                        if turn >= 2:
                            rates.a_second[kind].append(len(models) / seconds)
                # MLflow's, with the ones before taken off; nobody else gives up.
                rates.gave_up = sum(client.gave_up for each in opened.values() for client in each) - gave_up
                gave_up += rates.gave_up
                if rates.gave_up and count == 1:
                    raise RuntimeError(f"{rates.gave_up} registrations of a single client failed")
                yield rates


def statements(url: str, take: Callable[[int, Callable[[int], str]], list[dict[str, Any]]]) -> tuple[int, int]:
    """How many statements MLflow sends for a new name with its first version, and for one more version."""
    with clients("mlflow", url, 1) as (client,):
        (model,) = take(1, lambda number: f"counted {number}")
        counts = []
        for is_new in (True, False):
            client.say({"count": model, "is_new": is_new})
            counts.append(int(client.hear()["statements"]))
    return counts[0], counts[1]


@dataclass(frozen=True)
class Question:
    """What can be asked of MLflow too: its words, and the kind of question of search.py that it is."""

    name: str
    kind: str
    asked: Callable[[int], tuple[str, str]]


def _versions(text: str) -> tuple[str, str]:
    return "versions", text


QUESTIONS = (
    Question(
        "tag equality: the newest of a family",
        "1. the newest of a family",
        lambda n: _versions(f"tags.model_family = '{mlflow_rows.family(n)}'"),
    ),
    Question(
        "three tags: what is in service of a family and framework",
        "2. what is in service of a family and framework",
        lambda n: _versions(
            f"tags.model_family = '{mlflow_rows.family(n)}' and tags.framework = '{mlflow_rows.framework(n)}'"
            " and tags.state = 'promoted'"
        ),
    ),
    Question(
        "name prefix: the names that begin alike, with their latest versions",
        "9. the latest of the names that begin alike",
        lambda n: ("names", f"name LIKE '{mlflow_rows.name(n)[:-2]}%'"),
    ),
)


def search(url: str, rows: int, questions: int) -> Iterator[tuple[Question, list[float], list[float]]]:
    """Ask MLflow, with so many versions in it; gives the milliseconds of each question, and those the server worked."""
    database = mlflow_database(url)
    with clients("mlflow", database, 1) as (client,):
        mlflow_rows.fill(database, rows)
        for question in QUESTIONS:
            asked = [question.asked(n * 7919 % rows + 8) for n in range(1, questions + 6)]
            client.say({"search": asked})
            answer = client.hear()
            if answer["empty"] == len(asked):
                raise RuntimeError(f"MLflow found nothing by {asked[-1]}")
            # The first ones are for warming up.
            yield question, answer["times"][5:], answer["worked"][5:]
