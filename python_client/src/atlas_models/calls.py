"""The calls that a registry makes: statements and arguments, without any input or output.

Every statement is one call of one function of the database, or one look into one of its views. Values are always
bound; the only name put into a statement is the schema's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

from psycopg import sql

from atlas_models.documents import UnwritableError, json_text, text_problem
from atlas_models.errors import AtlasError, InvalidArgument, InvalidMetadata, NotFound, Problem
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
from atlas_models.validation.engine import json_pointer

T = TypeVar("T")

# Who the caller says that it acts for; stands until the end of the transaction, for whatever runs in it.
CLAIM = "select set_config('atlas_models.on_behalf_of', %s, true)"

MAX_CHUNK_BYTES = 64 * 1024 * 1024  # PostgreSQL refuses a jsonb array of 256 MB

_TYPES = {
    "metadata": "jsonb",
    "models": "jsonb",
    "training_params_json": "jsonb",
    "eval_metrics_json": "jsonb",
    "metrics": "jsonb",
    "patch": "jsonb",
    "is_external": "boolean",
    "is_latest": "boolean",
    "require_code_pin": "boolean",
    "require_evaluation": "boolean",
    "require_second_person": "boolean",
    "at": "timestamptz",
    "evaluated_at": "timestamptz",
    "training_started_at": "timestamptz",
    "training_completed_at": "timestamptz",
    "schema_version": "integer",
    "version_number": "integer",
    "max_artifacts": "integer",
    "limit": "integer",
    "gate_id": "bigint",
    "threshold": "double precision",
    "filter": "jsonb",
    "descending": "boolean",
    "page_size": "integer",
    "max_depth": "integer",
    "max_names": "integer",
}


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One statement to run.

    Args:
        query: The statement, with named placeholders.
        arguments: The value of each placeholder.
        read: Makes a result of a row (column name → value).
        only_reads: Whether it changes nothing, so that it can be repeated after a lost connection.
    """

    query: sql.Composed | sql.SQL
    arguments: Mapping[str, Any]
    read: Callable[[dict[str, Any]], T]
    only_reads: bool = False

    @property
    def is_repeatable(self) -> bool:
        """Whether a second time does no more: it only reads, or the database recognises it by its key."""
        return self.only_reads or "idempotency_key" in self.arguments


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the models to register, as large as one statement should be.

    Args:
        first: Place of its first model in the whole input, from 0.
        models: The JSON array, as text.
    """

    first: int
    models: str


def register_model(schema: str, registration: Registration) -> Call[RegisteredModel]:
    """Builds the call that registers one model version.

    Raises:
        InvalidMetadata, InvalidArgument: A value cannot be sent.
    """
    given = {"name": registration.name, "metadata": registration.metadata, **_given(registration)}
    return _function_call(schema, "register_model", given, RegisteredModel)


def on_behalf_of_argument(value: str | None) -> str | None:
    """Checks for whom calls are made.

    Raises:
        InvalidArgument: It cannot be sent.
    """
    if value is not None:
        _bind("on_behalf_of", value)
    return value


def has_key(registration: Registration | Mapping[str, Any]) -> bool:
    """Says whether the database would recognise a registration that is sent a second time."""
    if isinstance(registration, Registration):
        return registration.idempotency_key is not None
    return isinstance(registration, Mapping) and registration.get("idempotency_key") is not None


def register_models(schema: str, models: str) -> Call[RegisteredModel]:
    """Builds the call that registers a JSON array of models, given as text."""
    return _statement(
        schema,
        "register_models",
        {"models": models},
        _column_names(RegisteredModel),
        lambda r: RegisteredModel(**r),
    )


def register_artifact(schema: str, **arguments: Any) -> Call[str]:
    """Builds the call that registers an artifact that is no model.

    Raises:
        InvalidArgument: A value cannot be sent.
    """
    try:
        return _scalar(schema, "register_artifact", _without_none(arguments), str)
    except InvalidMetadata as error:  # free-form here: there is no schema that it could break
        problems = [Problem("/metadata" + problem.path, problem.message) for problem in error.problems]
        raise InvalidArgument("invalid argument: metadata", problems=problems) from None


def validate_metadata(schema: str, metadata: Any) -> Call[None]:
    """Builds the call that raises when metadata is not valid."""
    return _scalar(schema, "validate_metadata", {"metadata": metadata}, lambda _: None, only_reads=True)


def metadata_errors(schema: str, metadata: Any, schema_version: int | None) -> Call[Problem]:
    """Builds the call that lists what is wrong with metadata."""
    given = {"metadata": metadata} | ({} if schema_version is None else {"schema_version": schema_version})
    return _function_call(schema, "metadata_errors", given, Problem, only_reads=True)


def current_metadata_schema_version(schema: str) -> Call[int]:
    """Builds the call that asks for the version of the metadata schema."""
    return _scalar(schema, "current_metadata_schema_version", {}, int, only_reads=True)


def promote_model(
    schema: str, artifact_id: str, notes: str | None, expected_state: str | None, override_reason: str | None
) -> Call[Promotion]:
    """Builds the call that promotes a version."""
    given = _transition_arguments(artifact_id, notes, expected_state) | _without_none(
        {"override_reason": override_reason}
    )
    return _function_call(schema, "promote_model", given, Promotion)


def transition(
    schema: str, function: str, artifact_id: str, notes: str | None, expected_state: str | None
) -> Call[Transition]:
    """Builds the call of reject_model, demote_model or reopen_model."""
    return _function_call(schema, function, _transition_arguments(artifact_id, notes, expected_state), Transition)


def link_code(schema: str, artifact_id: str, **facts: Any) -> Call[bool]:
    """Builds the call that pins a version to its code; a fact that is None is not sent."""
    return _scalar(schema, "link_code", {"artifact_id": artifact_id} | _without_none(facts), bool)


def record_training(schema: str, artifact_id: str, **facts: Any) -> Call[bool]:
    """Builds the call that says how a version was trained; a fact that is None is not sent."""
    return _scalar(schema, "record_training", {"artifact_id": artifact_id} | _without_none(facts), bool)


def record_evaluation(schema: str, artifact_id: str, **facts: Any) -> Call[RecordedEvaluation]:
    """Builds the call that records an evaluation; a fact that is None is not sent."""
    given = {"artifact_id": artifact_id} | _without_none(facts)
    return _function_call(schema, "record_evaluation", given, RecordedEvaluation)


def check_gates(schema: str, artifact_id: str) -> Call[GateCheck]:
    """Builds the call that shows what a promotion would ask for."""
    return _function_call(schema, "check_gates", {"artifact_id": artifact_id}, GateCheck, only_reads=True)


def gates(schema: str) -> Call[Gate]:
    """Builds the look into the view ``gates``, which has its own order."""
    return _look(schema, "gates", Gate, {})


def policies(schema: str) -> Call[Policy]:
    """Builds the look into the view ``policies``, which has its own order."""
    return _look(schema, "policies", Policy, {})


def set_promotion_gate(schema: str, **arguments: Any) -> Call[int]:
    """Builds the call that sets a gate."""
    return _scalar(schema, "set_promotion_gate", _without_none(arguments), int)


def remove_promotion_gate(schema: str, gate_id: int, reason: str | None) -> Call[bool]:
    """Builds the call that removes a gate."""
    return _scalar(schema, "remove_promotion_gate", {"gate_id": gate_id} | _without_none({"reason": reason}), bool)


def set_promotion_policy(schema: str, **arguments: Any) -> Call[None]:
    """Builds the call that sets what a promotion asks for besides the gates."""
    return _scalar(schema, "set_promotion_policy", _without_none(arguments), lambda _: None)


def delete_model(schema: str, artifact_id: str, reason: str) -> Call[DeletedModel]:
    """Builds the call that deletes a version."""
    return _function_call(schema, "delete_model", {"artifact_id": artifact_id, "reason": reason}, DeletedModel)


def model_history(schema: str, name: str | None) -> Call[HistoryEvent]:
    """Builds the call that reads the history of a model; None, for what concerns every model, is sent as such."""
    return _function_call(schema, "model_history", {"name": name}, HistoryEvent, only_reads=True)


def promoted_at(schema: str, name: str, at: datetime | None) -> Call[PromotedVersion]:
    """Builds the call that asks what was in service at some time."""
    return _function_call(
        schema, "promoted_at", {"name": name} | _without_none({"at": at}), PromotedVersion, only_reads=True
    )


def backfill_reviews(schema: str, artifact_id: str | None, limit: int | None) -> Call[BackfillReview]:
    """Builds the look into the view ``backfill_reviews``, which has its own order: of one artifact, or of all."""
    return _look(schema, "backfill_reviews", BackfillReview, _without_none({"artifact_id": artifact_id}), limit=limit)


def resolve_backfill_review(
    schema: str, artifact_id: str, patch: Mapping[str, Any], notes: str | None
) -> Call[ReviewOutcome]:
    """Builds the call that answers questions about a legacy model."""
    given = {"artifact_id": artifact_id, "patch": patch} | _without_none({"notes": notes})
    return _function_call(schema, "resolve_backfill_review", given, ReviewOutcome)


def unlinked_models(schema: str) -> Call[UnlinkedModel]:
    """Builds the look into the view ``unlinked_models``."""
    return _look(schema, "unlinked_models", UnlinkedModel, {}, order=("name", "version_number", "artifact_id"))


def seal_legacy(schema: str) -> Call[bool]:
    """Builds the call that makes legacy rows impossible."""
    return _scalar(schema, "seal_legacy", {}, bool)


def migration_report(schema: str, max_artifacts: int | None) -> Call[str]:
    """Builds the call that writes the report; None for all artifacts is sent as such."""
    return _scalar(schema, "migration_report", {"max_artifacts": max_artifacts}, str, only_reads=True)


def model_card(schema: str, artifact_id: str) -> Call[str]:
    """Builds the call that writes the card of a model version."""
    return _scalar(schema, "model_card", {"artifact_id": artifact_id}, str, only_reads=True)


def get_model(schema: str, name: str | None, version_number: int | None, artifact_id: str | None) -> Call[ModelVersion]:
    """Builds the look into the view ``models``: by id, by name and number, or the latest of a name.

    Raises:
        TypeError: The combination of arguments selects no version, or more than one.
    """
    if (name is None) == (artifact_id is None) or (version_number is not None and name is None):
        raise TypeError("get_model takes a name, a name and a version_number, or artifact_id=…")
    given: dict[str, Any] = {"artifact_id": artifact_id, "name": name, "version_number": version_number}
    if name is not None and version_number is None:
        given["is_latest"] = True
    return _look(schema, "models", ModelVersion, _without_none(given))


# What a list can be narrowed down by: fixed texts, into which values are bound.
_LIST_CONDITIONS = {
    "name": "m.name = {}::text",
    "name_prefix": "starts_with(m.name, {}::text)",
    "artifact_id": "m.artifact_id = {}::text",
    "id_prefix": "starts_with(m.artifact_id, {}::text)",
    "promotion_state": "m.promotion_state = {}::text",
    "is_external": "m.is_external = {}::boolean",
    "is_latest": "m.is_latest = {}::boolean",
}


def list_models(
    schema: str, given: Mapping[str, Any], after: tuple[str, int] | None, limit: int | None
) -> Call[ModelSummary]:
    """Builds the look into the view ``models`` that lists versions by name and number.

    Args:
        schema: The schema that holds the registry.
        given: What the list is narrowed down by, names as in ``_LIST_CONDITIONS``; None for not at all.
        after: Name and number of the last version of the page before.
        limit: At most so many.
    """
    bound = {name: _bind(name, value) for name, value in _without_none(given).items()}
    conditions: list[sql.Composable] = [sql.SQL(_LIST_CONDITIONS[name]).format(sql.Placeholder(name)) for name in bound]
    if after is not None:
        bound |= {"after_name": _bind("after_name", after[0]), "version_number": _bind("version_number", after[1])}
        conditions.append(sql.SQL("(m.name, m.version_number) > (%(after_name)s::text, %(version_number)s::integer)"))
    own = [name for name in _column_names(ModelSummary) if name != "promoted_version"]
    query = sql.SQL(
        "select {columns}, (select p.version_number from {view} as p"
        " where p.name = m.name and p.promotion_state = 'promoted') as promoted_version"
        " from {view} as m where {conditions} order by m.name, m.version_number, m.artifact_id limit %(limit)s::bigint"
    ).format(
        columns=sql.SQL(", ").join(sql.Identifier("m", name) for name in own),
        view=sql.Identifier(schema, "models"),
        conditions=sql.SQL(" and ").join(conditions) if conditions else sql.SQL("true"),
    )
    bound["limit"] = _bind("limit", limit)
    return Call(query, bound, lambda row: ModelSummary(**row), only_reads=True)


def search_models(
    schema: str,
    conditions: Mapping[str, Any],
    *,
    order_by: str = "registered",
    descending: bool = True,
    page_size: int = 20,
    after: str | None = None,
) -> Call[FoundModel]:
    """Builds the call that asks for a page of the versions that match a filter.

    Args:
        schema: The schema of the registry.
        conditions: The filter, as :func:`search_filter` gives it.
        order_by: ``registered``, ``trained`` or ``metric:<name>``.
        descending: Whether the newest, or the highest value, comes first.
        page_size: At most so many versions.
        after: The cursor of the last version of the page before.

    Raises:
        InvalidArgument: A value cannot be sent.
    """
    given = {"filter": conditions, "order_by": order_by, "descending": descending, "page_size": page_size}
    return _function_call(schema, "search_models", given | _without_none({"after": after}), FoundModel, only_reads=True)


def search_filter(where: Mapping[str, Any] | None, conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Puts a filter and conditions that were given as named arguments together: all of it must hold.

    Args:
        where: A filter in the language of ``search_models``.
        conditions: Conditions by name; None is none, times are datetimes, and ``metrics`` maps the name of a metric to
            a comparison, such as ``(">=", 0.9)``.

    Returns:
        One filter.

    Raises:
        InvalidArgument: A time has no time zone, or a comparison is no pair.
    """
    plain: dict[str, Any] = {}
    parts: list[Any] = [] if where is None else [where]
    for name, value in _without_none(conditions).items():
        if isinstance(value, datetime):
            plain[name] = _bind_time(name, value).isoformat()
        elif name == "metrics":
            parts += [_comparison(metric, comparison) for metric, comparison in value.items()]
        else:
            plain[name] = value
    parts += [plain] if plain else []
    if not parts:
        return {}
    return parts[0] if len(parts) == 1 else {"all": parts}


def search_page(found: Sequence[FoundModel], page_size: int) -> SearchPage:
    """Makes a page of what was found; one that is not full is the last."""
    return SearchPage(tuple(found), found[-1].cursor if found and len(found) >= page_size else None)


def _comparison(metric: str, comparison: Any) -> dict[str, Any]:
    if not (isinstance(comparison, tuple | list) and len(comparison) == 2):
        raise _invalid_argument(json_pointer(["metrics", metric]), 'must be a pair such as (">=", 0.9)')
    return {"metric": metric, "op": comparison[0], "value": comparison[1]}


def _bind_time(name: str, value: datetime) -> datetime:
    if problem := _wrong_time(value):
        raise _invalid_argument(json_pointer([name]), problem)
    return value


def model_lineage(schema: str, artifact_id: str, direction: str, max_depth: int | None) -> Call[LineageStep]:
    """Builds the call that lists what an artifact was made from and what came of it."""
    given = {"artifact_id": artifact_id, "direction": direction} | _without_none({"max_depth": max_depth})
    return _function_call(schema, "model_lineage", given, LineageStep, only_reads=True)


def resolve_artifact(schema: str, reference: str) -> Call[str]:
    """Builds the call that finds the artifact that somebody means."""
    return _scalar(schema, "resolve_artifact", {"reference": reference}, str, only_reads=True)


def suggest_names(schema: str, name: str, max_names: int) -> Call[SuggestedName]:
    """Builds the call that lists the names nearest to one."""
    return _function_call(
        schema, "suggest_names", {"name": name, "max_names": max_names}, SuggestedName, only_reads=True
    )


def not_found(
    name: str | None, version_number: int | None, artifact_id: str | None, meant: Sequence[SuggestedName] = ()
) -> NotFound:
    """Says that get_model() found nothing, with the code that the database's functions use for it."""
    if artifact_id is not None:
        problem = Problem("/artifact_id", "names no model version")
        return NotFound(f"there is no model version {artifact_id}", sqlstate="P0002", problems=[problem])
    version = "" if version_number is None else f" {version_number}"
    problem = Problem("/name" if version_number is None else "/version_number", "names no model version")
    hint = f"did you mean {', '.join(suggested.name for suggested in meant)}?" if meant else ""
    return NotFound(f"there is no model {name}{version}", sqlstate="P0002", problems=[problem], hint=hint)


def model_texts(registrations: Iterable[Registration | Mapping[str, Any]]) -> Iterator[str]:
    """Writes registrations as JSON objects, each when it is asked for.

    Raises:
        InvalidMetadata, InvalidArgument: A value cannot be sent; the places start with the model's in the input.
    """
    for place, registration in enumerate(registrations):
        given = (
            {"name": registration.name, "metadata": registration.metadata, **_given(registration)}
            if isinstance(registration, Registration)
            else registration
        )
        try:
            yield _model_text(given)
        except (InvalidMetadata, InvalidArgument) as error:
            inside = "/metadata" if isinstance(error, InvalidMetadata) else ""
            error.problems = [Problem(f"/{place}{inside}{path}", message) for path, message in error.problems]
            raise


def chunks(registrations: Iterable[Registration | Mapping[str, Any]], chunk_size: int) -> Iterator[Chunk]:
    """Writes registrations as JSON arrays of at most chunk_size models and some 64 MiB, each when it is asked for.

    Raises:
        InvalidMetadata, InvalidArgument: A value cannot be sent; the places start with the model's in the input.
    """
    if chunk_size < 1:
        raise InvalidArgument("invalid argument: chunk_size", problems=[Problem("/chunk_size", "must be at least 1")])
    first = 0
    for texts in chunked(model_texts(registrations), chunk_size, len):
        yield Chunk(first, json_array(texts))
        first += len(texts)


def chunked(items: Iterable[T], chunk_size: int, size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Divides what is to be sent into chunks of at most chunk_size items and some 64 MiB, at least one item each.

    Args:
        items: What is to be sent; read only as far as the chunk that is asked for.
        chunk_size: Most items of a chunk.
        size_of: Gives the characters of an item's JSON text.
    """
    chunk: list[T] = []
    size = 0
    for item in items:
        item_size = size_of(item)
        if chunk and (len(chunk) >= chunk_size or size + item_size > MAX_CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += item_size
    if chunk:
        yield chunk


def json_array(texts: Iterable[str]) -> str:
    """Writes JSON texts as one JSON array."""
    return "[" + ", ".join(texts) + "]"


def at_place(error: AtlasError, chunk: Chunk) -> AtlasError:
    """Moves the places that an error of a chunk names to the whole input, in place, and returns the error."""
    error.problems = [Problem(_moved(problem.path, chunk.first), problem.message) for problem in error.problems]
    return error


def _moved(path: str, by: int) -> str:
    place, rest = place_and_rest(path)
    return path if place is None else f"/{place + by}{rest}"


def place_and_rest(path: str) -> tuple[int | None, str]:
    """Divides the path of a problem with a set of models into the model's place in the set, if any, and the rest."""
    place, slash, rest = path.removeprefix("/").partition("/")
    return (int(place), slash + rest) if path and place.isdecimal() else (None, path)


def _model_text(given: Mapping[str, Any]) -> str:
    if not isinstance(given, Mapping):
        raise _invalid_argument("", "must be a Registration or a mapping of register_model's arguments")
    members = []
    for name, value in given.items():
        wrong = text_problem(name) if isinstance(name, str) else "is not text"
        if wrong:
            raise _invalid_argument("", f"has a key that {wrong}")
        members.append(f"{json_text(name)}: {_member(name, value)}")
    return "{" + ", ".join(members) + "}"


def _member(name: str, value: Any) -> str:
    if value is None:
        return "null"
    if name not in REGISTRATION_PARAMETERS:  # the database says so, in its own words
        return _bind_json(name, value)
    bound = _bind(name, value)
    if type_of(name) == "jsonb":
        return str(bound)
    return json_text(bound.isoformat() if isinstance(bound, datetime) else bound)


REGISTRATION_PARAMETERS = tuple(field.name for field in fields(Registration))


def _given(registration: Registration) -> dict[str, Any]:
    return _without_none({name: getattr(registration, name) for name in REGISTRATION_PARAMETERS[2:]})


def _transition_arguments(artifact_id: str, notes: str | None, expected_state: str | None) -> dict[str, str]:
    return _without_none({"artifact_id": artifact_id, "notes": notes, "expected_state": expected_state})


def _without_none(values: Mapping[str, T | None]) -> dict[str, T]:
    return {name: value for name, value in values.items() if value is not None}


def _function_call(
    schema: str, function: str, given: Mapping[str, Any], result: type[T], *, only_reads: bool = False
) -> Call[T]:
    bound = {name: _bind(name, value) for name, value in given.items()}
    return _statement(schema, function, bound, _column_names(result), lambda row: result(**row), only_reads=only_reads)


def _statement(
    schema: str,
    function: str,
    bound: Mapping[str, Any],
    columns: Sequence[str],
    read: Callable[[dict[str, Any]], T],
    *,
    only_reads: bool = False,
) -> Call[T]:
    return Call(_query(schema, function, tuple(bound), tuple(columns)), bound, read, only_reads=only_reads)


# Putting it together takes as long as writing the arguments, and a program calls a few functions again and again.
@lru_cache(maxsize=256)
def _query(schema: str, function: str, parameters: tuple[str, ...], columns: tuple[str, ...]) -> sql.SQL:
    # With the types written out a wrong value is refused as such, not as a function that does not exist.
    arguments = [
        sql.SQL("{} => {}::{}").format(sql.Identifier(name), sql.Placeholder(name), sql.SQL(type_of(name)))
        for name in parameters
    ]
    query = sql.SQL("select {} from {}({})").format(
        _columns(columns), sql.Identifier(schema, function), sql.SQL(", ").join(arguments)
    )
    # As text, which each connection writes in its own encoding.
    text: Any = query.as_string(None)
    return sql.SQL(text)


def _scalar(
    schema: str, function: str, given: Mapping[str, Any], read: Callable[[Any], T], *, only_reads: bool = False
) -> Call[T]:
    """Builds the call of a function that returns one value, which stands in a column of the function's name."""
    bound = {name: _bind(name, value) for name, value in given.items()}
    return _statement(schema, function, bound, (function,), lambda row: read(row[function]), only_reads=only_reads)


def _look(
    schema: str,
    view: str,
    result: type[T],
    given: Mapping[str, Any],
    *,
    order: Sequence[str] = (),
    limit: int | None = None,
) -> Call[T]:
    """Builds a look into a view: the rows with the given values, at most limit of them."""
    query = sql.SQL("select {} from {}").format(_columns(_column_names(result)), sql.Identifier(schema, view))
    bound = {name: _bind(name, value) for name, value in given.items()}
    if given:
        conditions = [
            sql.SQL("{} = {}::{}").format(sql.Identifier(name), sql.Placeholder(name), sql.SQL(type_of(name)))
            for name in given
        ]
        query += sql.SQL(" where ") + sql.SQL(" and ").join(conditions)
    if order:
        query += sql.SQL(" order by ") + _columns(order)
    if limit is not None:
        query += sql.SQL(" limit {}::bigint").format(sql.Placeholder("limit"))
        bound["limit"] = _bind("limit", limit)
    return Call(query, bound, lambda row: result(**row), only_reads=True)


def _columns(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)


def _column_names(result: type) -> tuple[str, ...]:
    # Problem is a named tuple, the others are dataclasses.
    return tuple(getattr(result, "_fields", None) or (field.name for field in fields(result)))


def type_of(parameter: str) -> Any:
    """Gives the name of the SQL type of a parameter."""
    return _TYPES.get(parameter, "text")


def _bind(name: str, value: Any) -> Any:
    if value is None:
        return None
    if type_of(name) == "jsonb":
        return _bind_json(name, value)
    problem = _PROBLEM_OF[type_of(name)](value)
    if problem:
        raise _invalid_argument(json_pointer([name]), problem)
    return value


def _bind_json(name: str, value: Any) -> str:
    try:
        return json_text(value)
    except UnwritableError as error:
        if name == "metadata":
            count = len(error.problems)
            raise InvalidMetadata(
                f"invalid metadata: {count} problem{'s' if count > 1 else ''}",
                problems=error.problems,
                hint="Metadata holds what JSON holds: write anything else as text or as a finite number.",
            ) from None
        problems = [Problem(json_pointer([name]) + problem.path, problem.message) for problem in error.problems]
        raise InvalidArgument(f"invalid argument: {json.dumps(name)[1:-1]}", problems=problems) from None


def _invalid_argument(path: str, message: str) -> InvalidArgument:
    argument = path.removeprefix("/") or "a model to register"
    return InvalidArgument(f"invalid argument: {argument}", problems=[Problem(path, message)])


def _wrong_text(value: Any) -> str | None:
    return text_problem(value) if isinstance(value, str) else "must be text"


def _wrong_boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be True or False"


def _wrong_integer(value: Any) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) else "must be an integer"


def _wrong_number(value: Any) -> str | None:
    return None if isinstance(value, (int, float)) and not isinstance(value, bool) else "must be a number"


def _wrong_time(value: Any) -> str | None:
    if not isinstance(value, datetime):
        return "must be a datetime"
    # The server would read it in the session's time zone, whatever that happens to be.
    return None if value.utcoffset() is not None else "needs a time zone: datetime(…, tzinfo=timezone.utc)"


_PROBLEM_OF: dict[str, Callable[[Any], str | None]] = {
    "text": _wrong_text,
    "boolean": _wrong_boolean,
    "integer": _wrong_integer,
    "bigint": _wrong_integer,
    "double precision": _wrong_number,
    "timestamptz": _wrong_time,
}
