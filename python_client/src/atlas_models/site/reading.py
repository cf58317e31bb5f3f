"""Reads the registry for a site: everything at one moment, by few statements whatever the number of versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, TupleRow, dict_row

from atlas_models.errors import database_errors
from atlas_models.site.texts import finite

_ROWS_AT_ONCE = 100
_EVENTS_OF_A_VERSION = 50
_LONGEST_SUMMARY = 1000


@dataclass(frozen=True, slots=True)
class Version:
    """What other pages than its own say of a model version.

    Args:
        artifact_id: Identity of the version.
        name: The model's name; None for a legacy row that waits for its name.
        number: Its number; None where a legacy row has none.
        title: A heading for people.
        state: The promotion state.
        is_external: Whether it was taken over from elsewhere.
        is_latest: Whether this is the highest version of its name.
        family: The kind of model, as declared.
        framework: What runs it, as declared.
        task: What it is for, as declared.
        metrics: The finite numbers among its latest metrics.
        parent: Artifact id of the version that it was made from.
        base: Artifact id of the model that it was fine-tuned or converted from.
        dataset: Artifact id of what it was evaluated on.
        superseded_by: Artifact id of the version that took its place.
    """

    artifact_id: str
    name: str | None
    number: int | None
    title: str | None
    state: str
    is_external: bool
    is_latest: bool
    family: str | None
    framework: str | None
    task: str | None
    metrics: dict[str, float]
    parent: str | None
    base: str | None
    dataset: str | None
    superseded_by: str | None


class Other(NamedTuple):
    """What is registered and no model."""

    artifact_id: str
    artifact_type: str
    title: str | None


class Event(NamedTuple):
    """One event of a history."""

    event_id: int
    happened_at: datetime
    action: str
    summary: str


class Gate(NamedTuple):
    """What a metric must be for a promotion."""

    metric: str
    comparator: str
    threshold: float


class Question(NamedTuple):
    """What the backfill could not tell."""

    field: str
    why: str | None
    seen: Any
    readings: Any


@dataclass
class Catalogue:
    """All that pages need of one another.

    Args:
        versions: By name and number.
        others: By id.
        events: Of each version the latest ones, the oldest first.
        event_counts: How many each version has.
        rule_events: What happened to the gates and policies of each name, the latest ones.
        gates: Of each name, those of every model (None) among them.
        questions: The open ones of each legacy model.
        changed_at: When the newest of all that stands in it happened.
    """

    versions: list[Version]
    others: list[Other]
    events: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    event_counts: dict[str, int] = field(default_factory=dict)
    rule_events: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    gates: dict[str | None, list[Gate]] = field(default_factory=lambda: defaultdict(list))
    questions: dict[str, list[Question]] = field(default_factory=lambda: defaultdict(list))
    changed_at: datetime | None = None


class Reader:
    """Reads within one transaction.

    Args:
        connection: A connection in that transaction.
        schema: The schema that holds the registry.
    """

    def __init__(self, connection: psycopg.Connection[TupleRow], schema: str) -> None:
        self._connection = connection
        self._schema = schema

    def catalogue(self) -> Catalogue:
        """Reads what pages need of one another."""
        found = Catalogue(versions=list(self._versions()), others=self._others())
        found.changed_at = self._changed_at()
        self._read_history(found)
        for name, *gate in self._rows(
            "select model_name, metric, comparator, threshold from {gates} order by gate_id", "gates"
        ):
            found.gates[name].append(Gate(*gate))
        for artifact_id, *question in self._rows(
            "select artifact_id, field, why, seen, readings from {backfill_reviews}", "backfill_reviews"
        ):
            found.questions[artifact_id].append(Question(*question))
        return found

    def details(self) -> Generator[DictRow, None, None]:
        """Gives all columns of the view ``models`` and the model card, row by row in the catalogue's order."""
        query = (
            "select m.*, {model_card}(m.artifact_id) as card from {models} as m"
            ' order by m.name collate "C" nulls last, m.version_number nulls last, m.artifact_id collate "C"'
        )
        return self._stream("details", query, "models", "model_card")

    def other_details(self) -> Generator[DictRow, None, None]:
        """Gives all columns of the view ``other_artifacts``, row by row in the catalogue's order."""
        query = 'select * from {other_artifacts} order by artifact_id collate "C"'
        return self._stream("others", query, "other_artifacts")

    def _versions(self) -> Iterator[Version]:
        query = (
            "select artifact_id, name, version_number as number, left(title, 1000) as title, promotion_state as state,"
            " is_external, is_latest, left(model_family, 1000) as family, left(framework, 1000) as framework,"
            " left(task, 1000) as task, latest_metrics as metrics, parent_version_id as parent, base_model_id as base,"
            " eval_dataset_artifact_id as dataset, superseded_by from {models}"
            ' order by name collate "C" nulls last, version_number nulls last, artifact_id collate "C"'
        )
        with self._connection.cursor(row_factory=dict_row) as cursor:
            for row in cursor.execute(self._qualified(query, ("models",))):
                metrics = row["metrics"] if isinstance(row["metrics"], dict) else {}
                numbers = {metric: finite(metrics[metric]) for metric in sorted(metrics)}
                known = {metric: value for metric, value in numbers.items() if value is not None}
                yield Version(**(row | {"metrics": known}))

    def _others(self) -> list[Other]:
        query = (
            "select artifact_id, artifact_type, left(title, 1000) from {other_artifacts}"
            ' order by artifact_id collate "C"'
        )
        return [Other(*row) for row in self._rows(query, "other_artifacts")]

    def _changed_at(self) -> datetime | None:
        query = (
            "select greatest((select max(greatest(created_at, updated_at)) from {models}),"
            " (select max(greatest(created_at, updated_at)) from {other_artifacts}))"
        )
        ((changed_at,),) = self._rows(query, "models", "other_artifacts")
        assert changed_at is None or isinstance(changed_at, datetime)
        return changed_at

    def _read_history(self, found: Catalogue) -> None:
        # One call for each name within one statement; what a version has beyond the limit is only counted.
        query = (
            "select h.name, h.artifact_id, h.events, h.event_id, h.happened_at, h.action, left(h.summary, %(longest)s)"
            " from (select n.name, e.artifact_id, e.event_id, e.happened_at, e.action, e.summary,"
            " count(*) over same as events, row_number() over (same order by e.event_id desc) as place"
            " from (select distinct m.name from {models} as m where m.name is not null) as n"
            " cross join lateral {model_history}(n.name) as e"
            " window same as (partition by n.name, e.artifact_id)) as h"
            " where h.place <= %(limit)s order by h.event_id"
        )
        limits = {"limit": _EVENTS_OF_A_VERSION, "longest": _LONGEST_SUMMARY}
        for name, artifact_id, count, *event in self._rows(query, "models", "model_history", arguments=limits):
            happened = Event(*event)
            if artifact_id is None:
                found.rule_events[name].append(happened)
            else:
                found.events[artifact_id].append(happened)
                found.event_counts[artifact_id] = count
            if found.changed_at is None or happened.happened_at > found.changed_at:
                found.changed_at = happened.happened_at

    def _rows(self, query: str, *relations: str, arguments: dict[str, Any] | None = None) -> list[TupleRow]:
        return self._connection.execute(self._qualified(query, relations), arguments).fetchall()

    def _stream(self, name: str, query: str, *relations: str) -> Generator[DictRow, None, None]:
        with self._connection.cursor(name, row_factory=dict_row) as cursor, ThreadPoolExecutor(1) as server:
            cursor.execute(self._qualified(query, relations))
            # The server makes the next rows while these are rendered: it takes it about as long.
            coming = server.submit(cursor.fetchmany, _ROWS_AT_ONCE)
            while rows := coming.result():
                coming = server.submit(cursor.fetchmany, _ROWS_AT_ONCE)
                yield from rows

    def _qualified(self, query: str, relations: tuple[str, ...]) -> sql.Composed:
        names = {relation: sql.Identifier(self._schema, relation) for relation in relations}
        return sql.SQL(query).format(**names)


@contextmanager
def one_moment(connection: psycopg.Connection[TupleRow], schema: str) -> Iterator[Reader]:
    """Opens a transaction that sees the registry as it is now, for as long as the block lasts.

    Args:
        connection: A connection in autocommit mode.
        schema: The schema that holds the registry.

    Raises:
        AtlasError: There is no registry in the schema, or the role may not read it.
    """
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with database_errors(), connection.transaction():
        connection.execute("set local timezone = 'UTC'")
        yield Reader(connection, schema)
