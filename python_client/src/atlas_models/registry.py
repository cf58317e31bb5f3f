"""The registry as Python sees it: a thin client whose every method calls one function of the database."""

# Written from async_registry.py by `make client`: change that one.

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from atlas_models import calls
from atlas_models.bills import write_bill
from atlas_models.errors import AtlasError, Problem, database_errors
from atlas_models.results import (
    BackfillReview,
    DeletedModel,
    FoundModel,
    Gate,
    GateCheck,
    HistoryEvent,
    LineageStep,
    ModelSummary,
    ModelVersion,
    Policy,
    PromotedVersion,
    Promotion,
    RecordedEvaluation,
    RegisteredModel,
    Registration,
    ReviewOutcome,
    SearchPage,
    SuggestedName,
    Transition,
    UnlinkedModel,
)
from atlas_models.sessions import Session


class Registry(Session):
    """A model registry in a PostgreSQL database.

    Given a URL it opens a connection of its own at first use, and every call is one transaction, committed when the
    call returns. A lost connection is replaced: by itself and at once for a call that only reads or carries an
    idempotency key, which is then repeated once (``register_model`` makes itself a key where none is given), otherwise
    by the next call. It is for one thread or task at a time.

    Given a pool, each call takes a connection of it, and is one transaction; it may be shared by threads and tasks.
    A lost connection is treated in the same way.

    :meth:`transaction` makes several calls one transaction.

    Given a psycopg connection it takes part in the caller's transaction: it never commits, rolls back or closes.
    A connection that is not in autocommit mode is left inside the transaction that the first statement began. What the
    database refuses leaves that transaction aborted, as PostgreSQL does, until the caller rolls back (to a savepoint,
    where there is one); what is refused before it is sent leaves it as it was. A connection in autocommit mode outside
    of a transaction block has each call committed by itself.

    Every method may raise what stands under Raises, and on top of it NotAllowed (the role may not), RegistryMissing (no
    registry in this schema) and ConnectionFailed (the server cannot be reached) or, of that kind, ConnectionLost. An
    AtlasError that the database caused has psycopg's error as its ``__cause__``; errors that say nothing about the
    registry, such as a serialization failure or a cancelled statement, are psycopg's own.

    Args:
        database: A URL (``postgresql://user:password@host:port/database``, or ``host=… dbname=…``), an open
            ``psycopg.Connection``, or a ``psycopg_pool.ConnectionPool``.
        schema: The schema that holds the registry; it need not be on the search_path.
        on_behalf_of: For whom the calls are made, such as the user of a web application: the setting
            ``atlas_models.on_behalf_of`` of each transaction that a call runs in. A claim, kept beside the connected
            user and never instead.

    Raises:
        ConnectionFailed: The URL cannot be read; the message holds no password.
    """

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
        makes_key = idempotency_key is None and self._may_repeat()
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
            idempotency_key=f"client-{uuid.uuid4()}" if makes_key else idempotency_key,
        )
        registered = self._one(calls.register_model(self._schema, registration))
        # Recognised by a key that nobody else has: this call's own first try, whose answer was lost.
        return replace(registered, created=True) if makes_key else registered

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
                After a lost connection it is repeated when every one has an idempotency key.
        """
        registrations = list(registrations)
        chunks = list(calls.chunks(registrations, chunk_size))
        if not chunks:
            return []
        have_keys = all(calls.has_key(registration) for registration in registrations)
        return self._repeated(lambda: self._register_chunks(chunks), have_keys)

    def _register_chunks(self, chunks: list[calls.Chunk]) -> list[RegisteredModel]:
        registered: list[RegisteredModel] = []
        with database_errors():
            with self._held_together():
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
            NotFound: There is none; for a name that is not registered the hint has the nearest ones.
            TypeError: Neither or both of name and artifact_id are given.
        """
        found = self._all(calls.get_model(self._schema, name, version_number, artifact_id))
        if not found:
            meant = () if name is None else self.suggest_names(name, max_names=3)
            raise calls.not_found(name, version_number, artifact_id, meant)
        return found[0]

    def search(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        order_by: str = "registered",
        descending: bool = True,
        page_size: int = 20,
        after: str | None = None,
        **conditions: Any,
    ) -> SearchPage:
        """Finds model versions, a page of them.

        Args:
            where: A filter in the language of ``search_models``, for what named conditions cannot say:
                ``{"any": [{"state": "promoted"}, {"metric": "auroc", "op": ">=", "value": 0.9}]}``.
            order_by: ``registered``, ``trained`` or ``metric:<name>``.
            descending: Whether the newest, or the highest value, comes first.
            page_size: At most so many versions, up to 1,000.
            after: ``after`` of the page before.
            **conditions: What must hold besides: ``name``, ``name_prefix``, ``family``, ``framework``, ``task``,
                ``state``, ``text``, ``trained_by``, ``dataset``, ``training_dataset``, ``evaluation_dataset``,
                ``base_model``, ``benchmark`` (a text, or a list of which one will do), ``is_external``, ``is_latest``,
                ``registered_since``, ``registered_before``, ``trained_since``, ``trained_before`` (times), and
                ``metrics``: ``{"auroc": (">=", 0.9)}``. None is no condition.

        Returns:
            The page.

        Raises:
            InvalidArgument: A condition, a metric, the order or the cursor is not understood; ``problems`` says where,
                the hint names what is near.
        """
        wanted = calls.search_filter(where, conditions)
        call = calls.search_models(
            self._schema, wanted, order_by=order_by, descending=descending, page_size=page_size, after=after
        )
        return calls.search_page(self._all(call), page_size)

    def search_all(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        order_by: str = "registered",
        descending: bool = True,
        page_size: int = 100,
        **conditions: Any,
    ) -> Iterator[FoundModel]:
        """Finds model versions, all of them; the next page is asked for when it is needed.

        What is registered meanwhile neither moves a page nor repeats a version.

        Args:
            where: As for :meth:`search`.
            order_by: As for :meth:`search`.
            descending: As for :meth:`search`.
            page_size: How many versions are asked for at once.
            **conditions: As for :meth:`search`.

        Yields:
            The versions.

        Raises:
            InvalidArgument: As for :meth:`search`.
        """
        after = None
        while True:
            page = self.search(
                where, order_by=order_by, descending=descending, page_size=page_size, after=after, **conditions
            )
            for model in page.models:
                yield model
            if page.after is None:
                return
            after = page.after

    def lineage(self, artifact_id: str, direction: str = "both", *, max_depth: int | None = None) -> list[LineageStep]:
        """Lists what an artifact was made from and what came of it, the artifact itself first.

        Args:
            artifact_id: A model version, or a dataset.
            direction: ``ancestors``, ``descendants`` or ``both``.
            max_depth: At most so many steps away; all of them by default.

        Returns:
            Each artifact once for each direction, by the shortest way, the nearest first.

        Raises:
            NotFound: There is no such artifact.
            InvalidArgument: The direction or the depth is none.
        """
        return self._all(calls.model_lineage(self._schema, artifact_id, direction, max_depth))

    def model_card(self, artifact_id: str) -> str:
        """Writes the card of a model version: Markdown with the front matter of a Hugging Face model card.

        Args:
            artifact_id: The version; a legacy model's too.

        Returns:
            The card. The same rows give the same text, and nothing that they say acts in it.

        Raises:
            NotFound: There is no such version.
        """
        return self._one(calls.model_card(self._schema, artifact_id))

    def bill_of_materials(self, artifact_id: str) -> str:
        """Writes what a model version was made of, as CycloneDX 1.6: its base models, its parent and its datasets.

        Args:
            artifact_id: The version.

        Returns:
            JSON in ASCII, valid against the official schema. The same rows give the same text.

        Raises:
            NotFound: There is no such version.
            AtlasError: The extra ``bom`` of the distribution is not installed.
        """
        version = self.get_model(artifact_id=artifact_id)
        bases: list[ModelVersion] = []
        base_id = version.base_model_id
        while base_id is not None:
            bases.append(self.get_model(artifact_id=base_id))
            base_id = bases[-1].base_model_id
        # A legacy row may name a parent that is not there.
        parents = self._all(calls.get_model(self._schema, None, None, version.parent_version_id or ""))
        nearest = self.lineage(artifact_id, "ancestors", max_depth=1)
        datasets = [step for step in nearest if step.id == version.eval_dataset_artifact_id]
        history = self.model_history(version.name)
        changes = [event.happened_at for event in history if event.artifact_id == artifact_id]
        return write_bill(
            version,
            bases,
            parents[0] if parents else None,
            datasets[0] if datasets else None,
            max(changes, default=version.updated_at),
        )

    def resolve(self, reference: str) -> str:
        """Finds the artifact that somebody means.

        Args:
            reference: An artifact id, a name (its latest version), ``name@version``, or the beginning of an artifact
                id, three characters and more.

        Returns:
            The artifact id.

        Raises:
            NotFound: Nothing is meant; the hint has the nearest names.
            Ambiguous: Several ids begin so; ``problems`` lists them, at most ten.
        """
        return self._one(calls.resolve_artifact(self._schema, reference))

    def suggest_names(self, name: str, *, max_names: int = 5) -> list[SuggestedName]:
        """Lists the registered names that are nearest to one, the nearest first.

        Args:
            name: What was written.
            max_names: At most so many, up to 100.

        Returns:
            The names; none when nothing is near.
        """
        return self._all(calls.suggest_names(self._schema, name, max_names))

    def list_models(
        self,
        name: str | None = None,
        *,
        promotion_state: str | None = None,
        is_external: bool | None = None,
        is_latest: bool | None = None,
        name_prefix: str | None = None,
        artifact_id: str | None = None,
        id_prefix: str | None = None,
        after: tuple[str, int] | None = None,
        limit: int | None = None,
    ) -> list[ModelSummary]:
        """Lists model versions by name and number, each with the version of its name that is in service.

        Args:
            name: Only the versions of this model.
            promotion_state: Only versions in this state: candidate, promoted, rejected or superseded.
            is_external: Only external models, or only internal ones.
            is_latest: Only the latest version of each name, or only the others.
            name_prefix: Only names that begin so.
            artifact_id: Only the version with this id.
            id_prefix: Only artifact ids that begin so.
            after: Name and number of the last version of the page before.
            limit: At most so many; all of them by default.

        Returns:
            One value for each version.
        """
        given = {
            "name": name,
            "promotion_state": promotion_state,
            "is_external": is_external,
            "is_latest": is_latest,
            "name_prefix": name_prefix,
            "artifact_id": artifact_id,
            "id_prefix": id_prefix,
        }
        return self._all(calls.list_models(self._schema, given, after, limit))

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

    def promote(
        self,
        artifact_id: str,
        *,
        notes: str | None = None,
        expected_state: str | None = None,
        override_reason: str | None = None,
    ) -> Promotion:
        """Promotes a candidate or superseded version; the one promoted before becomes superseded.

        Args:
            artifact_id: The version.
            notes: Why; replaces the version's promotion notes.
            expected_state: The state that the decision was based on; refused when the version is in another.
            override_reason: Why it is promoted although gates or policies are not met; takes a reviewer, stands in the
                history, and does not replace a second person.

        Returns:
            The name and number, and the artifact id of the version that was promoted before.

        Raises:
            NotFound: There is no such version.
            StateChanged: It is not in the expected_state.
            IllegalTransition: It cannot be promoted from the state that it is in.
            GatesNotMet: It does not meet what its promotion asks for; ``problems`` has one line for each.
        """
        return self._one(calls.promote_model(self._schema, artifact_id, notes, expected_state, override_reason))

    def check_gates(self, artifact_id: str) -> list[GateCheck]:
        """Shows what a promotion of the version would ask for, and what it would find, without acting.

        Args:
            artifact_id: The version.

        Returns:
            One row for each policy and gate.

        Raises:
            NotFound: There is no such version.
        """
        return self._all(calls.check_gates(self._schema, artifact_id))

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

    def record_evaluation(
        self,
        artifact_id: str,
        metrics: Mapping[str, float],
        *,
        benchmark_id: str | None = None,
        eval_dataset_artifact_id: str | None = None,
        evaluated_at: datetime | None = None,
        evaluated_by: str | None = None,
        notes: str | None = None,
    ) -> RecordedEvaluation:
        """Records the results of an evaluation; the latest ones become the version's metrics.

        Args:
            artifact_id: The version.
            metrics: Metric name → finite number, at least one.
            benchmark_id: The benchmark that it was evaluated on.
            eval_dataset_artifact_id: The dataset artifact that it was evaluated on.
            evaluated_at: When, not in the future; must have a time zone. Now, unless given.
            evaluated_by: Who evaluated it: a claim.
            notes: What is to be said of it.

        Returns:
            The evaluation; created is False when the same call was made before. Runs with equal numbers are told apart
            by evaluated_at.

        Raises:
            NotFound: There is no such version.
            UnknownReference: The dataset is not registered.
            InvalidArgument: These are no metrics, or a value is not well formed.
        """
        call = calls.record_evaluation(
            self._schema,
            artifact_id,
            metrics=metrics,
            benchmark_id=benchmark_id,
            eval_dataset_artifact_id=eval_dataset_artifact_id,
            evaluated_at=evaluated_at,
            evaluated_by=evaluated_by,
            notes=notes,
        )
        return self._one(call)

    def gates(self) -> list[Gate]:
        """Lists the gates, those for every model first."""
        return self._all(calls.gates(self._schema))

    def policies(self) -> list[Policy]:
        """Lists what promotions ask for besides the gates, first for every model, then for single ones."""
        return self._all(calls.policies(self._schema))

    def set_promotion_gate(
        self,
        metric: str,
        comparator: str,
        threshold: float,
        *,
        model_name: str | None = None,
        benchmark_id: str | None = None,
        reason: str | None = None,
    ) -> int:
        """Sets what a version's latest evaluation must show before it is promoted.

        Args:
            metric: The metric to look at.
            comparator: How it must compare: ``>=``, ``>``, ``<=``, ``<``, ``=`` or ``<>``.
            threshold: With what: a finite number. The same model, metric, comparator and benchmark again replace it.
            model_name: The model; None for every model.
            benchmark_id: The benchmark whose latest evaluation counts; None for any.
            reason: Why; stands in the history.

        Returns:
            The gate's id.

        Raises:
            InvalidArgument: This is no gate.
        """
        call = calls.set_promotion_gate(
            self._schema,
            metric=metric,
            comparator=comparator,
            threshold=threshold,
            model_name=model_name,
            benchmark_id=benchmark_id,
            reason=reason,
        )
        return self._one(call)

    def remove_promotion_gate(self, gate_id: int, *, reason: str | None = None) -> None:
        """Removes a gate.

        Args:
            gate_id: The gate, as :meth:`set_promotion_gate` returned it.
            reason: Why; stands in the history.

        Raises:
            NotFound: There is no such gate.
        """
        self._one(calls.remove_promotion_gate(self._schema, gate_id, reason))

    def set_promotion_policy(
        self,
        model_name: str | None = None,
        *,
        require_code_pin: bool | None = None,
        require_evaluation: bool | None = None,
        require_second_person: bool | None = None,
        reason: str | None = None,
    ) -> None:
        """Sets what a promotion asks for besides the gates.

        Args:
            model_name: The model; None for every model.
            require_code_pin: Whether an internal version needs its repository and commit. None here and below: as for
                every model, or, for every model, as it was.
            require_evaluation: Whether an internal version needs a recorded evaluation.
            require_second_person: Whether who registered a version must not promote it.
            reason: Why; stands in the history.

        Raises:
            InvalidArgument: The name cannot be one of a model.
        """
        call = calls.set_promotion_policy(
            self._schema,
            model_name=model_name,
            require_code_pin=require_code_pin,
            require_evaluation=require_evaluation,
            require_second_person=require_second_person,
            reason=reason,
        )
        self._one(call)

    def delete_model(self, artifact_id: str, *, reason: str) -> DeletedModel:
        """Deletes a candidate or rejected version that was never promoted and that nothing refers to.

        Args:
            artifact_id: The version.
            reason: Why; stands in the history, with the full record of the version.

        Returns:
            What was deleted, and which version is the latest now.

        Raises:
            NotFound: There is no such version.
            RemovalRefused: It is or was promoted, or a legacy model.
            UnknownReference: Others refer to it; ``problems`` names them.
        """
        return self._one(calls.delete_model(self._schema, artifact_id, reason))

    def model_history(self, name: str | None) -> list[HistoryEvent]:
        """Reads what happened to a model, its gates and policies, oldest first.

        Args:
            name: The model's name; None for the gates and policies of every model.

        Returns:
            The events; none for a name that was never there.
        """
        return self._all(calls.model_history(self._schema, name))

    def promoted_at(self, name: str, at: datetime | None = None) -> PromotedVersion:
        """Tells which version of a model was in service at some time.

        Args:
            name: The model's name.
            at: The time, which must have a time zone; now, unless given.

        Returns:
            The version, or that none was, or that it is not known.
        """
        return self._one(calls.promoted_at(self._schema, name, at))

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
