"""Registering a file where it matters what happens in between: within this process."""

from __future__ import annotations

import io
import json
from typing import Any

import psycopg
import pytest

from atlas_models import InvalidArgument, Registry, offline_validation
from atlas_models.bulk_registration import BulkRegistration, RegistrationStoppedError, Summary
from atlas_models.record_files import RecordFile
from factories import internal_metadata


class Steps:
    """Progress that does something when a step begins."""

    def __init__(self, **actions: Any) -> None:
        self._actions = actions

    def start(self, step: str, _: int) -> None:
        self._actions.get(step, lambda: None)()

    def update(self, done: int, records: int) -> None:
        pass


def record(name: str = "churn", **arguments: Any) -> dict[str, Any]:
    return {"name": name, "metadata": internal_metadata()} | arguments


def run(
    conn: psycopg.Connection, stream: io.BytesIO, *, keep_going: bool = False, chunk_size: int = 5000, **actions: Any
) -> Summary:
    file = RecordFile("models.jsonl", stream)
    options = {"chunk_size": chunk_size, "keep_going": keep_going, "dry_run": False}
    return BulkRegistration(conn, "atlas", progress=Steps(**actions), **options).run(file)


def stream_of(*records: Any) -> io.BytesIO:
    return io.BytesIO(b"".join(json.dumps(each).encode() + b"\n" for each in records))


def count(conn: psycopg.Connection) -> int:
    return conn.execute("select count(*) from models").fetchone()[0]


@pytest.mark.parametrize("change", [b"", b"{}\n[", b"{}\n{}\n{}\n"], ids=["shorter", "broken", "longer"])
def test_a_file_that_changes_between_the_two_readings_is_not_registered(conn, change):
    stream = stream_of(record(), record())

    def replace() -> None:
        first = stream.getvalue().splitlines(keepends=True)[0]
        stream.seek(0)
        stream.truncate()
        stream.write(first + change)

    with pytest.raises(
        RegistrationStoppedError, match=r"^models.jsonl changed while it was read; nothing was written$"
    ):
        run(conn, stream, registering=replace)
    assert count(conn) == 0


def test_a_registry_with_another_schema_version_judges_the_metadata_itself(conn, monkeypatch):
    asked = []
    monkeypatch.setattr(offline_validation, "metadata_schema_version", lambda: 2)
    stream = stream_of(record("bad", metadata={}), record("orphan", parent_version_id="nowhere"))
    summary = run(conn, stream, registering=lambda: asked.append(True))
    assert asked == [True]
    assert [(refusal.line, refusal.problems) for refusal in summary.refusals] == [
        (1, (("/metadata/is_external", "is required"),)),
        (2, (("/parent_version_id", "there is no artifact nowhere"),)),
    ]


def test_a_set_that_is_refused_though_each_part_is_accepted_ends_instead_of_being_tried_for_ever(conn, monkeypatch):
    register_json = Registry.register_json

    def refuse_sets(self: Registry, models: str) -> Any:
        if len(json.loads(models)) > 1:
            raise InvalidArgument("too many")
        return register_json(self, models)

    monkeypatch.setattr(Registry, "register_json", refuse_sets)
    with pytest.raises(RegistrationStoppedError, match=r"^too many; nothing was written$"):
        run(conn, stream_of(record("a"), record("b"), record("c")), keep_going=True)
    assert count(conn) == 0


def test_nothing_is_read_ahead_of_the_chunk_that_is_sent(conn, monkeypatch):
    positions = []
    stream = stream_of(*[record() for _ in range(4)])
    line = len(stream.getvalue()) // 4
    register_json = Registry.register_json

    def noting(self: Registry, models: str) -> Any:
        positions.append((len(json.loads(models)), stream.tell() // line))
        return register_json(self, models)

    monkeypatch.setattr(Registry, "register_json", noting)
    run(conn, stream, chunk_size=1)
    # Nothing to begin with, then one record each; the next one is known only after its predecessor's chunk is full.
    assert positions == [(0, 0), (1, 2), (1, 3), (1, 4), (1, 4)]


def test_two_records_that_claim_one_id_leave_nothing_to_guess(conn):
    stream = stream_of(
        record("a", artifact_id="same"), record("b", artifact_id="same"), record("c", parent_version_id="same")
    )
    summary = run(conn, stream, keep_going=True, chunk_size=2)
    assert [(refusal.line, refusal.problems) for refusal in summary.refusals] == [
        (2, (("/artifact_id", "is taken"),)),
        (3, (("/parent_version_id", "names same, which is refused (line 2)"),)),
    ]
    assert (summary.registered, count(conn)) == (1, 1)
