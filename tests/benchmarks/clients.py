"""One client of a registry, in a process of its own: what registers, and how fast, is asked of it line by line.

Run as a script, also by a Python that has MLflow and nothing of this project: each kind imports what it needs itself.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Floor:
    """Plain statements into tables that check nothing."""

    def __init__(self, url: str) -> None:
        import psycopg

        from benchmarks import floor

        self._floor = floor
        self._conn = psycopg.connect(url, autocommit=True, options="-c search_path=floor")

    def prepare(self, model: dict[str, Any], _is_new: bool) -> Callable[[], None]:
        """Give what registers the model."""
        return lambda: self._floor.register_one(self._conn, model)


class Function:
    """The database's function, called by a prepared statement."""

    def __init__(self, url: str) -> None:
        import psycopg

        from benchmarks import parts

        self._register = parts.register_model
        self._conn = psycopg.connect(url, autocommit=True, options="-c search_path=atlas")

    def prepare(self, model: dict[str, Any], _is_new: bool) -> Callable[[], None]:
        """Give what registers the model."""
        return lambda: self._register(self._conn, model)


class Client:
    """The Python client, given the URL."""

    def __init__(self, url: str) -> None:
        from datetime import datetime

        from atlas_models import Registry

        self._time = datetime.fromisoformat
        self._registry = Registry(url)

    def prepare(self, model: dict[str, Any], _is_new: bool) -> Callable[[], None]:
        """Give what registers the model."""
        given = self._given(model)
        return lambda: self._registry.register_model(**given)

    def _given(self, model: dict[str, Any]) -> dict[str, Any]:
        times = ("training_started_at", "training_completed_at")
        return model | {name: self._time(model[name].replace("Z", "+00:00")) for name in times}


class Bulk(Client):
    """The Python client, given many models by one call."""

    def prepare_all(self, models: list[dict[str, Any]]) -> Callable[[], None]:
        """Give what registers the models, all or none."""
        given = [self._given(model) for model in models]
        return lambda: self._registry.register_models(given)


class MLflow:
    """MLflow's store, without its server in between."""

    def __init__(self, url: str) -> None:
        from mlflow.entities.model_registry import ModelVersionTag
        from mlflow.exceptions import MlflowException
        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

        self._tag, self._gave_up = ModelVersionTag, MlflowException
        self._store = SqlAlchemyStore(url)
        self.failed = 0

    def prepare(self, model: dict[str, Any], is_new: bool) -> Callable[[], None]:
        """Give what registers the model: its name where it is new, and the version with twelve tags."""
        tags = [self._tag(key, value) for key, value in tags_of(model).items()]

        def register() -> None:
            try:
                if is_new:
                    self._store.create_registered_model(model["name"])
                self._store.create_model_version(
                    model["name"], source=model["code_repo_url"], tags=tags, description=model["title"]
                )
            except self._gave_up:
                self.failed += 1

        return register

    def count_statements(self, model: dict[str, Any], is_new: bool) -> int:
        """Register a model; gives how many statements that took."""
        import sqlalchemy

        statements = []
        register = self.prepare(model, is_new)
        note = ("before_cursor_execute", lambda *given: statements.append(given[2]))
        sqlalchemy.event.listen(self._store.engine, *note)
        register()
        sqlalchemy.event.remove(self._store.engine, *note)
        return len(statements)

    def search(self, questions: list[tuple[str, str]]) -> tuple[list[float], list[float], int]:
        """Ask questions; gives the milliseconds of each, those that the server worked, and how many found nothing."""
        with self._store.engine.connect() as conn:
            pid = conn.exec_driver_sql("select pg_backend_pid()").scalar()
        times, worked, empty = [], [], 0
        for what, asked in questions:
            began, began_work = time.perf_counter(), _worked(pid)
            if what == "names":
                found = self._store.search_registered_models(asked, max_results=20)
            else:
                found = self._store.search_model_versions(asked, max_results=20, order_by=["creation_timestamp DESC"])
            times.append((time.perf_counter() - began) * 1e3)
            worked.append(_worked(pid) - began_work)
            empty += not found
        return times, worked, empty


# As processes.worked(), which MLflow's Python cannot import.
def _worked(pid: int) -> float:
    """Milliseconds that a server process has worked, on Linux and on this machine; 0 elsewhere."""
    statistics = Path(f"/proc/{pid}/schedstat")
    return int(statistics.read_text().split()[0]) / 1e6 if statistics.exists() else 0.0


def tags_of(model: dict[str, Any]) -> dict[str, str]:
    """What the metadata and the arguments of a registration say, as MLflow can hold it: twelve texts."""
    said = model["metadata"]
    return {
        **{key: said[key] for key in ("model_family", "framework", "task", "license", "evaluation_dataset")},
        **{key: json.dumps(said[key]) for key in ("parameter_count", "training_data", "training_config")},
        "evaluation_metrics": json.dumps(said["evaluation_metrics"]),
        "code_commit_sha": model["code_commit_sha"],
        "version_tag": model["version_tag"],
        "trained_by": model["trained_by"],
    }


KINDS = {"floor": Floor, "function": Function, "client": Client, "bulk": Bulk, "mlflow": MLflow}


def main() -> None:
    """Answer each line of standard input by one line: JSON, both of them."""
    kind, url = sys.argv[1:]
    client: Any = KINDS[kind](url)
    answer({"ready": kind})
    for line in sys.stdin:
        request = json.loads(line)
        if "register" in request:
            if kind == "bulk":
                calls = [client.prepare_all(request["register"])]
            else:
                calls = [client.prepare(model, request["is_new"]) for model in request["register"]]
            answer({"ready": len(calls)})
            sys.stdin.readline()
            for call in calls:
                call()
            answer({"failed": getattr(client, "failed", 0)})
        elif "count" in request:
            answer({"statements": client.count_statements(request["count"], request["is_new"])})
        else:
            times, worked, empty = client.search(request["search"])
            answer({"times": times, "worked": worked, "empty": empty})


def answer(value: dict[str, Any]) -> None:
    """Say something to who asked."""
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
