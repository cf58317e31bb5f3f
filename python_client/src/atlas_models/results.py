"""What goes into the registry and what comes out of it, as plain immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One model version to register: the arguments of ``register_model``, for ``register_models``.

    What is None is not sent. See :meth:`Registry.register_model` for each of them.
    """

    name: str
    metadata: Mapping[str, Any]
    title: str | None = None
    parent_version_id: str | None = None
    version_tag: str | None = None
    changelog: str | None = None
    lifecycle_state: str | None = None
    origin_type: str | None = None
    origin_url: str | None = None
    created_by: str | None = None
    is_external: bool | None = None
    external_source_url: str | None = None
    external_source_version: str | None = None
    base_model_id: str | None = None
    code_repo_url: str | None = None
    code_commit_sha: str | None = None
    code_entrypoint: str | None = None
    training_started_at: datetime | None = None
    training_completed_at: datetime | None = None
    trained_by: str | None = None
    gpu_allocation_id: str | None = None
    training_params_json: Mapping[str, Any] | None = None
    eval_metrics_json: Mapping[str, Any] | None = None
    eval_dataset_artifact_id: str | None = None
    benchmark_id: str | None = None
    promotion_notes: str | None = None
    artifact_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """What a registration became.

    Args:
        artifact_id: Identity of the model version.
        version_number: 1, 2, 3 … within its name.
        created: False when a repeated idempotency key stands for a version that was there already.
    """

    artifact_id: str
    version_number: int
    created: bool


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion.

    Args:
        name: The model's name.
        version_number: The version that is promoted now.
        superseded: Artifact id of the version that was promoted before; None when there was none.
    """

    name: str
    version_number: int
    superseded: str | None


@dataclass(frozen=True, slots=True)
class Transition:
    """A rejection, demotion or reopening.

    Args:
        name: The model's name.
        version_number: The version that changed its state.
        from_state: The state it was in before.
    """

    name: str
    version_number: int
    from_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One row of the view ``models``: everything the registry knows of a model version.

    The columns are those of the view, described by its comments in the database. Times are aware datetimes in the
    time zone of the session. JSON numbers are int within 64 bits, otherwise float, and equal to those that were
    registered (a Decimal comes back as its nearest float).
    """

    artifact_id: str
    name: str
    version_number: int
    is_latest: bool
    promotion_state: str
    is_external: bool
    title: str | None
    model_family: str | None
    framework: str | None
    parameter_count: int | None
    task: str | None
    license: str | None
    description: str | None
    training_data: str | list[str] | None
    evaluation_dataset: str | list[str] | None
    declared_metrics: dict[str, float] | None
    latest_metrics: dict[str, Any] | None
    declared_training_config: dict[str, Any] | None
    latest_training_params: dict[str, Any] | None
    extra: dict[str, Any] | None
    external_source_url: str | None
    external_source_version: str | None
    base_model_id: str | None
    parent_version_id: str | None
    superseded_by: str | None
    code_repo_url: str | None
    code_commit_sha: str | None
    code_entrypoint: str | None
    training_started_at: datetime | None
    training_completed_at: datetime | None
    trained_by: str | None
    gpu_allocation_id: str | None
    eval_dataset_artifact_id: str | None
    benchmark_id: str | None
    promotion_notes: str | None
    first_promoted_at: datetime | None
    version_tag: str | None
    changelog: str | None
    lifecycle_state: str | None
    origin_type: str | None
    origin_url: str | None
    created_by: str | None
    registered_by: str
    created_at: datetime
    updated_at: datetime
    metadata_schema_version: int
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BackfillReview:
    """One open question about a legacy model: a row of the view ``backfill_reviews``.

    Args:
        artifact_id: The legacy model that waits.
        title: Its title.
        name: The name that it has by now; None while its chain of versions cannot be told.
        field: What cannot be told: a field of the metadata, a column, or ``metadata`` for the whole of it.
        seen: What the row says about it: where → value, long values cut.
        readings: The values that it could be, as far as that can be said.
        why: Why it is a question.
        chain_root: The first version of the chain that the row belongs to.
        notes: What was said with earlier answers.
        asked_at: When the question arose last.
    """

    artifact_id: str
    title: str | None
    name: str | None
    field: str
    seen: dict[str, Any]
    readings: list[Any]
    why: str
    chain_root: str
    notes: str | None
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class ReviewOutcome:
    """What became of a legacy model after a person's answers.

    Args:
        outcome: ``backfilled``, or ``queued`` while questions are left.
        open_questions: How many are left.
    """

    outcome: str
    open_questions: int


@dataclass(frozen=True, slots=True)
class UnlinkedModel:
    """A version whose code nobody can find again: a row of the view ``unlinked_models``.

    Args:
        artifact_id: Identity of the version.
        name: The model's name; None for a legacy row that waits for its name.
        version_number: Its number; None where a legacy row has none.
        title: A heading for people.
        promotion_state: candidate, promoted, rejected or superseded.
        is_external: Whether it was taken over from elsewhere.
        code_repo_url: The repository, where it is known.
        code_commit_sha: The commit, where it is known.
    """

    artifact_id: str
    name: str | None
    version_number: int | None
    title: str | None
    promotion_state: str
    is_external: bool
    code_repo_url: str | None
    code_commit_sha: str | None
