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
class RecordedEvaluation:
    """What a recorded evaluation became.

    Args:
        evaluation_id: Identity of the evaluation.
        created: False when the same call had recorded it before.
    """

    evaluation_id: int
    created: bool


@dataclass(frozen=True, slots=True)
class GateCheck:
    """What one gate or policy wants of a version, and what it finds.

    Args:
        rule: ``gate``, or the policy: ``code pin``, ``evaluation``, ``second person``.
        metric: The metric that a gate looks at; None for a policy.
        wanted: What is wanted, such as ``>= 0.9 on imagenet``.
        found: What was found; None when there is nothing.
        passed: Whether a promotion would pass it now.
    """

    rule: str
    metric: str | None
    wanted: str
    found: str | None
    passed: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """What the latest evaluation of a version must show before it is promoted: a row of the view ``gates``.

    Args:
        gate_id: Identity of the gate.
        model_name: The model that it is for; None for every model.
        metric: The metric that is looked at.
        comparator: How it must compare with the threshold.
        threshold: What it is compared with.
        benchmark_id: The benchmark whose latest evaluation counts; None for any.
        set_by: The database user who set it last.
        set_at: When it was set last.
    """

    gate_id: int
    model_name: str | None
    metric: str
    comparator: str
    threshold: float
    benchmark_id: str | None
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """What a promotion asks for besides the gates: a row of the view ``policies``.

    Args:
        model_name: The model that it is for; None for every model.
        require_code_pin: Whether an internal version needs its repository and commit; None: as for every model.
        require_evaluation: Whether an internal version needs a recorded evaluation; None: as for every model.
        require_second_person: Whether who registered a version must not promote it; None: as for every model.
        set_by: The database user who set it last.
        set_at: When it was set last.
    """

    model_name: str | None
    require_code_pin: bool | None
    require_evaluation: bool | None
    require_second_person: bool | None
    set_by: str | None
    set_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeletedModel:
    """A version that was deleted.

    Args:
        name: The model's name.
        version_number: The version's number, which is not used again.
        latest: Artifact id of the version that is the latest now; None when none is left.
    """

    name: str
    version_number: int
    latest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """One event in the history of a model, its gates and policies.

    Args:
        event_id: Identity of the event; events of one version, and promotions of one name, happened in its order.
        happened_at: When.
        actor: The database user who was logged in.
        on_behalf_of: For whom the actor said to act: a claim.
        action: What happened: ``registered``, ``promoted``, ``evaluated``, ``gate_set`` …
        artifact_id: The version that it happened to; None for gates and policies.
        version_number: Its number.
        from_state: The promotion state before, where that changed.
        to_state: The promotion state after, where that changed.
        reason: Why, in the words of who did it.
        gates: Of a promotion: ``passed``, ``overridden``, or ``none`` when nobody asked for them.
        evidence: Of a promotion: what each gate and policy wanted and found.
        old: The columns that changed, as they were; of a deleted version all that there was.
        new: The columns that changed, as they became.
        summary: All of it in one readable line.
    """

    event_id: int
    happened_at: datetime
    actor: str
    on_behalf_of: str | None
    action: str
    artifact_id: str | None
    version_number: int | None
    from_state: str | None
    to_state: str | None
    reason: str | None
    gates: str | None
    evidence: list[dict[str, Any]] | None
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    summary: str


@dataclass(frozen=True, slots=True)
class PromotedVersion:
    """What was in service at some time.

    Args:
        artifact_id: The version; None when none was, or when it is not known.
        version_number: Its number.
        since: Since when it was in service.
        known: False for times before the history of the name began.
        note: What is to be said of it, such as ``unknown before …``.
    """

    artifact_id: str | None
    version_number: int | None
    since: datetime | None
    known: bool
    note: str | None


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
class ModelSummary:
    """A model version in a list.

    Args:
        artifact_id: Identity of the version.
        name: The model's name; None for a legacy row that waits for its name.
        version_number: Its number; None where a legacy row has none.
        is_latest: Whether this is the highest version of its name.
        promotion_state: candidate, promoted, rejected or superseded.
        is_external: Whether it was taken over from elsewhere.
        model_family: The kind of model, as declared.
        framework: What runs it, as declared.
        title: A heading for people.
        created_at: When it was written.
        promoted_version: The number of the version of its name that is in service; None when there is none.
    """

    artifact_id: str
    name: str | None
    version_number: int | None
    is_latest: bool
    promotion_state: str
    is_external: bool
    model_family: str | None
    framework: str | None
    title: str | None
    created_at: datetime
    promoted_version: int | None


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


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A version that ``search_models`` found.

    Args:
        artifact_id: Identity of the version.
        name: The model's name; None for a legacy row that waits for its name.
        version_number: Its number; None where a legacy row has none.
        is_latest: Whether it is the highest version of its name.
        promotion_state: candidate, promoted, rejected or superseded.
        is_external: Whether it was taken over from elsewhere.
        title: A heading for people.
        model_family: The kind of model, as declared.
        framework: What runs it, as declared.
        latest_metrics: Metric name → value, as recorded last; the declared ones until then.
        registered_at: When it was registered.
        cursor: What comes after it: for ``after``, in a search with the same filter and order.
    """

    artifact_id: str
    name: str | None
    version_number: int | None
    is_latest: bool | None
    promotion_state: str
    is_external: bool
    title: str | None
    model_family: str | None
    framework: str | None
    latest_metrics: dict[str, Any] | None
    registered_at: datetime
    cursor: str


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of what was found.

    Args:
        models: The versions, in the order that was asked for.
        after: What the next page is asked for with; None when this is the last.
    """

    models: tuple[FoundModel, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class LineageStep:
    """An artifact of the lineage of another.

    Args:
        side: ``ancestor``, ``descendant``, or ``self`` for the artifact that was asked about.
        depth: How many steps away it is, by the shortest way.
        relation: How it and ``via`` hang together: ``parent``, ``base_model``, ``evaluation_dataset`` or
            ``superseded_by``; None for the artifact itself.
        via: The artifact id before it on that way.
        id: Its artifact id.
        artifact_type: ``model``, ``dataset`` …
        name: The model's name; None for what is no model.
        version_number: The model's version.
        title: A heading for people.
        promotion_state: candidate, promoted, rejected or superseded; None for what is no model.
        path: The artifact ids from the one that was asked about to this one; None beyond 100 steps.
    """

    side: str
    depth: int
    relation: str | None
    via: str | None
    id: str
    artifact_type: str
    name: str | None
    version_number: int | None
    title: str | None
    promotion_state: str | None
    path: list[str] | None


@dataclass(frozen=True, slots=True)
class SuggestedName:
    """A registered name that is near to another.

    Args:
        name: The name.
        last_version: The highest version number that was ever given to it.
    """

    name: str
    last_version: int
