"""The registry as Python sees it: a thin client whose every method calls one function of the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from atlas_models import calls
from atlas_models.connections import connect, connection_parameters
from atlas_models.documents import parse_jsonb
from atlas_models.errors import AtlasError, ConnectionFailed, Problem, database_errors
from atlas_models.migration_errors import DatabaseUnreachableError
from atlas_models.results import (
    BackfillReview,
    ModelVersion,
    Promotion,
    RegisteredModel,
    Registration,
    ReviewOutcome,
    Transition,
    UnlinkedModel,
)

T = TypeVar("T")


class Registry:
    """A model registry in a PostgreSQL database.

    Given a URL it opens a connection of its own, and every call is one transaction, committed when the call returns.

    Given a psycopg connection it takes part in the caller's transaction: it never commits, rolls back or closes.
    A connection that is not in autocommit mode is left inside the transaction that the first statement began. What the
    database refuses leaves that transaction aborted, as PostgreSQL does, until the caller rolls back (to a savepoint,
    where there is one); what is refused before it is sent leaves it as it was. A connection in autocommit mode outside
    of a transaction block has each call committed by itself.

    Every method may raise what stands under Raises, and on top of it NotAllowed (the role may not), RegistryMissing (no
    registry in this schema) and ConnectionFailed (the connection was lost). An AtlasError that the database caused has
    psycopg's error as its ``__cause__``; errors that say nothing about the registry, such as a serialization failure
    or a cancelled statement, are psycopg's own.

    Args:
        database: A URL (``postgresql://user:password@host:port/database``, or ``host=… dbname=…``), or an open
            ``psycopg.Connection``.
        schema: The schema that holds the registry; it need not be on the search_path.

    Raises:
        ConnectionFailed: The URL is wrong or the server cannot be reached; the message holds no password.
    """

    def __init__(self, database: str | psycopg.Connection[Any], *, schema: str = "atlas") -> None:
        self._schema = schema
        self._owns_connection = isinstance(database, str)
        if isinstance(database, str):
            self._connection: psycopg.Connection[Any] = _connect(database)
        elif isinstance(database, psycopg.Connection):
            self._connection = database
        else:
            raise TypeError(f"Registry takes a URL or a psycopg.Connection, not {type(database).__name__}")

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection if the registry opened it; a connection that was given stays open."""
        if self._owns_connection:
            self._connection.close()

    def register_model(
        self,
        name: str,
        metadata: Mapping[str, Any],
        *,
        title: str | None = None,
        parent_version_id: str | None = None,
        version_tag: str | None = None,
        changelog: str | None = None,
        lifecycle_state: str | None = None,
        origin_type: str | None = None,
        origin_url: str | None = None,
        created_by: str | None = None,
        is_external: bool | None = None,
        external_source_url: str | None = None,
        external_source_version: str | None = None,
        base_model_id: str | None = None,
        code_repo_url: str | None = None,
        code_commit_sha: str | None = None,
        code_entrypoint: str | None = None,
        training_started_at: datetime | None = None,
        training_completed_at: datetime | None = None,
        trained_by: str | None = None,
        gpu_allocation_id: str | None = None,
        training_params_json: Mapping[str, Any] | None = None,
        eval_metrics_json: Mapping[str, Any] | None = None,
        eval_dataset_artifact_id: str | None = None,
        benchmark_id: str | None = None,
        promotion_notes: str | None = None,
        artifact_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> RegisteredModel:
        """Registers a new version of a model, as a candidate.

        Only what is given (not None) is sent. What the metadata declares (is_external, external_source_url,
        external_source_version, base_model_id, benchmark_id) is taken from there; given here too, it must agree.

        Args:
            name: What all versions of the model share: 1 to 256 characters, no control characters, no white space
                around it.
            metadata: The declared facts, valid against the metadata schema; at most 1 MiB of JSON text and 100 levels.
            title: A heading for people.
            parent_version_id: Artifact id of the model version that this one was made from.
            version_tag: A label of the version that people use.
            changelog: What changed against the parent.
            lifecycle_state: Free text; drives nothing.
            origin_type: How the artifact came to be, in words of your own.
            origin_url: Where the artifact came from.
            created_by: Who is said to have created it; the connected user by default.
            is_external: Whether the model was taken over from elsewhere.
            external_source_url: Where an external model was taken from.
            external_source_version: Its version there.
            base_model_id: Artifact id of the model that it was fine-tuned or converted from.
            code_repo_url: Repository of the training code, without credentials.
            code_commit_sha: Commit of the training code: 40 or 64 lower-case hexadecimal digits.
            code_entrypoint: What was run in the repository.
            training_started_at: When the training began; must have a time zone.
            training_completed_at: When it ended, not before it began; must have a time zone.
            trained_by: Agent id of who trained it.
            gpu_allocation_id: Reference into the system that hands out GPUs.
            training_params_json: Training parameters; those declared in the metadata by default.
            eval_metrics_json: Metric name → value; those declared in the metadata by default.
            eval_dataset_artifact_id: Artifact id of the dataset that the metrics were measured on.
            benchmark_id: The benchmark that the metrics belong to.
            promotion_notes: What stands open.
            artifact_id: Identity of the version; ``model-<uuid>`` by default.
            idempotency_key: Makes the call repeatable: the same key for the same name and arguments returns the
                version that the first call registered. 1 to 256 characters.

        Returns:
            The version's artifact id and number, and whether this call created it.

        Raises:
            InvalidMetadata: The metadata is not valid; ``problems`` has a line for each mistake.
            InvalidArgument: Another argument is missing or not well formed.
            UnknownReference: The parent, base or dataset is not registered.
            AlreadyRegistered: The artifact_id is taken.
            IdempotencyConflict: The idempotency_key was used with other arguments.
            KeptByDatabase: An argument contradicts the metadata.
            LineageError: The parent is no model, or parents and bases would run in a circle.
        """
        registration = Registration(
            name=name,
            metadata=metadata,
            title=title,
            parent_version_id=parent_version_id,
            version_tag=version_tag,
            changelog=changelog,
            lifecycle_state=lifecycle_state,
            origin_type=origin_type,
            origin_url=origin_url,
            created_by=created_by,
            is_external=is_external,
            external_source_url=external_source_url,
            external_source_version=external_source_version,
            base_model_id=base_model_id,
            code_repo_url=code_repo_url,
            code_commit_sha=code_commit_sha,
            code_entrypoint=code_entrypoint,
            training_started_at=training_started_at,
            training_completed_at=training_completed_at,
            trained_by=trained_by,
            gpu_allocation_id=gpu_allocation_id,
            training_params_json=training_params_json,
            eval_metrics_json=eval_metrics_json,
            eval_dataset_artifact_id=eval_dataset_artifact_id,
            benchmark_id=benchmark_id,
            promotion_notes=promotion_notes,
            artifact_id=artifact_id,
            idempotency_key=idempotency_key,
        )
        return self._one(calls.register_model(self._schema, registration))

    def register_models(
        self, registrations: Iterable[Registration | Mapping[str, Any]], *, chunk_size: int = 5000
    ) -> list[RegisteredModel]:
        """Registers many model versions, all or none.

        They are sent in chunks, within one transaction. All of them are written as JSON before the first is sent, so
        the whole of it is held in memory. A model may name as parent or base one that stands anywhere in its own chunk
        or in an earlier one, under a given artifact_id; the input's order decides the version numbers of a name.

        Args:
            registrations: What to register: Registration values, or mappings with the arguments of ``register_model``.
            chunk_size: How many models one statement takes, at least 1. More than 5,000 costs the server memory; a
                chunk ends earlier at 64 MiB of JSON text.

        Returns:
            One result for each, in the input's order.

        Raises:
            AtlasError: As ``register_model``; the class is that of the first model refused, ``problems`` lists (up to
                100) problems of all models of its chunk, each path opening with the model's place in the input, from
                0: ``/0/metadata/framework``. Nothing is registered: a registry with a URL, or a connection in
                autocommit mode outside of a transaction, has rolled back; a caller's transaction is aborted.
        """
        chunks = list(calls.chunks(registrations, chunk_size))
        registered: list[RegisteredModel] = []
        with self._one_transaction():
            for chunk in chunks:
                try:
                    registered += self.register_json(chunk.models)
                except AtlasError as error:
                    raise calls.at_place(error, chunk) from error.__cause__
        return registered

    def register_json(self, models: str) -> list[RegisteredModel]:
        """Registers many model versions, all or none, that are JSON already; sent by one call, as they are.

        Args:
            models: A JSON array of objects with the parameters of ``register_model`` as keys, times as text with their
                offset (``2024-05-01T12:00:00Z``). More than 5,000 objects cost the server memory, 256 MB are too much.

        Returns:
            One result for each, in the array's order.

        Raises:
            AtlasError: As ``register_models``; nothing is registered.
        """
        return self._all(calls.register_models(self._schema, models))

    def register_artifact(
        self,
        artifact_type: str,
        title: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        artifact_id: str | None = None,
        version_tag: str | None = None,
        origin_type: str | None = None,
        origin_url: str | None = None,
        created_by: str | None = None,
    ) -> str:
        """Registers what is no model but what models point to: a dataset, a benchmark.

        Args:
            artifact_type: ``dataset``, ``benchmark`` …: 1 to 63 lower-case letters, digits, _ or -, a letter first.
            title: A heading for people, not blank.
            metadata: Anything that JSON holds, at most 100 levels deep.
            artifact_id: Identity; ``<artifact_type>-<uuid>`` by default.
            version_tag: A label of the version that people use.
            origin_type: How it came to be, in words of your own.
            origin_url: Where it came from.
            created_by: Who is said to have created it; the connected user by default.

        Returns:
            The artifact id.

        Raises:
            InvalidArgument: The type is not well formed or is ``model``, the title is blank, or the metadata holds
                what JSON does not.
            AlreadyRegistered: The artifact_id is taken.
        """
        call = calls.register_artifact(
            self._schema,
            artifact_type=artifact_type,
            title=title,
            metadata=metadata,
            artifact_id=artifact_id,
            version_tag=version_tag,
            origin_type=origin_type,
            origin_url=origin_url,
            created_by=created_by,
        )
        return self._one(call)

    def get_model(
        self, name: str | None = None, version_number: int | None = None, *, artifact_id: str | None = None
    ) -> ModelVersion:
        """Looks a model version up: by name (its latest version), by name and number, or by artifact id.

        Args:
            name: The model's name.
            version_number: Its version, from 1; the latest by default.
            artifact_id: Identity of the version, instead of a name.

        Returns:
            Everything that the registry knows of it.

        Raises:
            NotFound: There is none.
            TypeError: Neither or both of name and artifact_id are given.
        """
        found = self._all(calls.get_model(self._schema, name, version_number, artifact_id))
        if not found:
            raise calls.not_found(name, version_number, artifact_id)
        return found[0]

    def validate(self, metadata: Mapping[str, Any]) -> None:
        """Has the database check metadata as registering it would, without writing anything.

        Args:
            metadata: The declared facts of a model.

        Raises:
            InvalidMetadata: It is not valid; ``problems`` has a line for each mistake.
        """
        self._all(calls.validate_metadata(self._schema, metadata))

    def metadata_errors(self, metadata: Mapping[str, Any], *, schema_version: int | None = None) -> list[Problem]:
        """Lists what is wrong with metadata, without raising for it.

        Args:
            metadata: The declared facts of a model.
            schema_version: The version of the metadata schema, from 1; the current one by default.

        Returns:
            The problems, sorted by place, at most 100; none for valid metadata.

        Raises:
            InvalidArgument: There is no such schema version.
            InvalidMetadata: It holds what JSON does not: NaN, a datetime …
        """
        return self._all(calls.metadata_errors(self._schema, metadata, schema_version))

    def metadata_schema_version(self) -> int:
        """Gives the version of the metadata schema that registrations are validated against."""
        return self._one(calls.current_metadata_schema_version(self._schema))

    def promote(self, artifact_id: str, *, notes: str | None = None, expected_state: str | None = None) -> Promotion:
        """Promotes a candidate or superseded version; the one promoted before becomes superseded.

        Args:
            artifact_id: The version.
            notes: Why; replaces the version's promotion notes.
            expected_state: The state that the decision was based on; refused when the version is in another.

        Returns:
            The name and number, and the artifact id of the version that was promoted before.

        Raises:
            NotFound: There is no such version.
            StateChanged: It is not in the expected_state.
            IllegalTransition: It cannot be promoted from the state that it is in.
        """
        return self._one(calls.promote_model(self._schema, artifact_id, notes, expected_state))

    def reject(self, artifact_id: str, *, notes: str | None = None, expected_state: str | None = None) -> Transition:
        """Rejects a candidate or superseded version.

        Args:
            artifact_id: The version.
            notes: Why; replaces the version's promotion notes.
            expected_state: The state that the decision was based on; refused when the version is in another.

        Returns:
            The name and number, and the state that the version was in.

        Raises:
            NotFound, StateChanged, IllegalTransition: As for :meth:`promote`.
        """
        return self._one(calls.transition(self._schema, "reject_model", artifact_id, notes, expected_state))

    def demote(self, artifact_id: str, *, notes: str | None = None, expected_state: str | None = None) -> Transition:
        """Takes the promoted version out of service: it becomes a candidate again, and none takes its place.

        Args:
            artifact_id: The version.
            notes: Why; replaces the version's promotion notes.
            expected_state: The state that the decision was based on; refused when the version is in another.

        Returns:
            The name and number, and the state that the version was in.

        Raises:
            NotFound, StateChanged, IllegalTransition: As for :meth:`promote`.
        """
        return self._one(calls.transition(self._schema, "demote_model", artifact_id, notes, expected_state))

    def reopen(self, artifact_id: str, *, notes: str | None = None, expected_state: str | None = None) -> Transition:
        """Makes a rejected version a candidate again.

        Args:
            artifact_id: The version.
            notes: Why; replaces the version's promotion notes.
            expected_state: The state that the decision was based on; refused when the version is in another.

        Returns:
            The name and number, and the state that the version was in.

        Raises:
            NotFound, StateChanged, IllegalTransition: As for :meth:`promote`.
        """
        return self._one(calls.transition(self._schema, "reopen_model", artifact_id, notes, expected_state))

    def link_code(
        self,
        artifact_id: str,
        *,
        code_repo_url: str | None = None,
        code_commit_sha: str | None = None,
        code_entrypoint: str | None = None,
    ) -> bool:
        """Pins a version to its code, as far as that was not known yet; what stands already cannot be replaced.

        Args:
            artifact_id: The version.
            code_repo_url: Repository of the training code, without credentials.
            code_commit_sha: Commit of the training code: 40 or 64 lower-case hexadecimal digits.
            code_entrypoint: What was run in the repository.

        Returns:
            Whether anything was filled in; a repeated call gives False.

        Raises:
            NotFound: There is no such version.
            KeptByDatabase: Another value stands there.
            InvalidArgument: The repository or the commit is not well formed.
        """
        call = calls.link_code(
            self._schema,
            artifact_id,
            code_repo_url=code_repo_url,
            code_commit_sha=code_commit_sha,
            code_entrypoint=code_entrypoint,
        )
        return self._one(call)

    def record_training(
        self,
        artifact_id: str,
        *,
        training_started_at: datetime | None = None,
        training_completed_at: datetime | None = None,
        trained_by: str | None = None,
        gpu_allocation_id: str | None = None,
        training_params_json: Mapping[str, Any] | None = None,
    ) -> bool:
        """Says how a version was trained, as far as that was not known yet.

        Args:
            artifact_id: The version.
            training_started_at: When the training began; must have a time zone.
            training_completed_at: When it ended, not before it began; must have a time zone.
            trained_by: Agent id of who trained it.
            gpu_allocation_id: Reference into the system that hands out GPUs.
            training_params_json: Training parameters; they replace those that were declared or recorded before.

        Returns:
            Whether anything changed; a repeated call gives False.

        Raises:
            NotFound: There is no such version.
            KeptByDatabase: Another value stands there.
            InvalidArgument: The times are in the wrong order, or a value is not well formed.
        """
        call = calls.record_training(
            self._schema,
            artifact_id,
            training_started_at=training_started_at,
            training_completed_at=training_completed_at,
            trained_by=trained_by,
            gpu_allocation_id=gpu_allocation_id,
            training_params_json=training_params_json,
        )
        return self._one(call)

    def unlinked_models(self) -> list[UnlinkedModel]:
        """Lists the versions whose repository or commit is not known, by name and number."""
        return self._all(calls.unlinked_models(self._schema))

    def backfill_reviews(self, artifact_id: str | None = None, *, limit: int | None = None) -> list[BackfillReview]:
        """Lists the questions that the backfill could not answer without guessing, chain by chain.

        Args:
            artifact_id: Only those about this legacy model.
            limit: At most so many; all of them by default.

        Returns:
            One value for each question; none when nothing waits.
        """
        return self._all(calls.backfill_reviews(self._schema, artifact_id, limit))

    def resolve_backfill_review(
        self, artifact_id: str, patch: Mapping[str, Any], *, notes: str | None = None
    ) -> ReviewOutcome:
        """Answers questions about a legacy model, and has it backfilled again with all answers so far.

        Args:
            artifact_id: The legacy model.
            patch: Field → value, None leaving the field out: fields of the metadata, ``promotion_state``, and until its
                chain has a name ``name``, ``version_number`` (a number, or ``along the parents``),
                ``parent_version_id`` and ``is_latest``.
            notes: Why; kept beside the answers.

        Returns:
            Whether it is backfilled now, and how many questions are left.

        Raises:
            NotFound: No question is open about this artifact.
            InvalidArgument: An answer is not well formed, or leaves its question open; nothing is written.
            KeptByDatabase: An answer about what is written already, such as the name.
        """
        return self._one(calls.resolve_backfill_review(self._schema, artifact_id, patch, notes))

    def migration_report(self, *, max_artifacts: int | None = 1000) -> str:
        """Writes what the backfill did, as Markdown: counts, rules, open questions, old and new state side by side.

        Args:
            max_artifacts: How many legacy models have a section of their own; None for all of them.

        Returns:
            The report.
        """
        return self._one(calls.migration_report(self._schema, max_artifacts))

    def seal_legacy(self) -> bool:
        """Ends the time of legacy rows: from then on no model can be without validated metadata.

        Returns:
            True when this call did it, False when it was done already.

        Raises:
            LegacyLeft: A legacy model is left; ``problems`` lists them, at most 100.
        """
        return self._one(calls.seal_legacy(self._schema))

    def _one(self, call: calls.Call[T]) -> T:
        return self._all(call)[0]

    def _all(self, call: calls.Call[T]) -> list[T]:
        with database_errors(), self._connection.cursor(row_factory=dict_row) as cursor:
            set_json_loads(parse_jsonb, cursor)  # for this cursor only, whatever the caller's connection has
            cursor.execute(call.query, call.arguments)
            return [call.read(row) for row in cursor]

    def _one_transaction(self) -> AbstractContextManager[object]:
        """Holds several statements together where each would be committed by itself; elsewhere the caller's does."""
        connection = self._connection
        if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
            return connection.transaction()
        return nullcontext()


def _connect(url: str) -> psycopg.Connection[Any]:
    try:
        name = connection_parameters(url).get("application_name", "atlas client")
        return connect(url, application_name=name)
    except DatabaseUnreachableError as error:
        # Not chained: libpq's own words may quote what stands in the URL.
        raise ConnectionFailed(error.message, hint=error.hint) from None
