"""A registration as a line of a file: what it says, and what can be seen to be wrong with it without a database."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter
from typing import Any

from atlas_models.calls import REGISTRATION_PARAMETERS, type_of
from atlas_models.documents import UnwritableError, json_text, text_problem
from atlas_models.errors import Problem
from atlas_models.offline_validation import has_exponent, metadata_text_errors
from atlas_models.record_files import Line
from atlas_models.validation.engine import MAX_NESTING, is_nested_deeper, json_pointer

# NUL and halves of surrogate pairs can only come in as escapes: a line is UTF-8.
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_JSON_TYPE_OF_SQL_TYPE = {"text": "string", "timestamptz": "string", "boolean": "boolean"}
_JSON_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}


class UnreadableRecordError(ValueError):
    """A line that holds no JSON object.

    Args:
        problem: What is wrong with it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Record:
    """One model version to register.

    Args:
        line: Number of its line, from 1.
        text: The JSON object, as it stands in the file.
        name: The model's name, where it is text.
        artifact_id: The identity that it asks for, if it does.
        references: The parent and the base that it names: (where, as a JSON pointer; artifact id).
    """

    line: int
    text: str
    name: str | None
    artifact_id: str | None
    references: tuple[tuple[str, str], ...]


def parse_line(line: Line) -> dict[str, Any]:
    """Parses a line.

    Returns:
        The parameters of ``register_model`` that it gives.

    Raises:
        UnreadableRecordError: It is not UTF-8, too long, no JSON or no object.
    """
    if line.problem:
        raise UnreadableRecordError(line.problem)
    if is_nested_deeper(line.text, MAX_NESTING):
        raise UnreadableRecordError(f"is nested deeper than {MAX_NESTING} levels")
    try:
        arguments = json.loads(line.text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise UnreadableRecordError(f"column {error.colno}: is not valid JSON: {error.msg}") from None
    except UnreadableRecordError:
        raise
    except ValueError:  # an integer beyond sys.get_int_max_str_digits()
        raise UnreadableRecordError("holds a number that is neither a 64-bit integer nor a finite double") from None
    if not isinstance(arguments, dict):
        raise UnreadableRecordError(f"must be an object, not {_json_type(arguments)}")
    return arguments


def make_record(line: Line, arguments: Mapping[str, Any]) -> Record:
    """Keeps of a parsed line what registering it takes."""
    metadata = arguments.get("metadata")
    references = {
        "/parent_version_id": arguments.get("parent_version_id"),
        "/metadata/base_model_id": metadata.get("base_model_id") if isinstance(metadata, dict) else None,
    }
    return Record(
        line.number,
        line.text,
        _text_or_none(arguments.get("name")),
        _text_or_none(arguments.get("artifact_id")),
        tuple((path, named) for path, named in references.items() if isinstance(named, str)),
    )


def record_problems(line: Line, arguments: Mapping[str, Any], *, validate_metadata: bool) -> list[Problem]:
    """Lists what is wrong with a record as far as can be known without a database, in the database's words.

    Args:
        line: The line.
        arguments: What it parses to.
        validate_metadata: Whether the registry uses the metadata schema of this package.
    """
    if unstorable := unstorable_texts(line, arguments):
        return unstorable
    problems = list(_malformed_arguments(arguments))
    if arguments.get("name") is None:
        problems.append(Problem("/name", "is required"))
    if validate_metadata:
        problems += [Problem("/metadata" + path, message) for path, message in _metadata_errors(line, arguments)]
    return problems


def _metadata_errors(line: Line, arguments: Mapping[str, Any]) -> list[Problem]:
    if not has_exponent(line.text):
        return metadata_text_errors(json.dumps(arguments.get("metadata"), ensure_ascii=False))
    # What the database refuses of a number, a double may have rounded away.
    exact = json.loads(line.text, parse_float=Decimal)
    try:
        return metadata_text_errors(json_text(exact.get("metadata")))
    except UnwritableError as error:
        return error.problems


def unstorable_texts(line: Line, content: Mapping[str, Any]) -> list[Problem]:
    """Lists the texts of a parsed line that PostgreSQL cannot hold."""
    return list(_unstorable_texts(content, [])) if _SUSPICIOUS_ESCAPE.search(line.text) else []


def in_order_of_reference(records: Iterable[Record]) -> list[Record]:
    """Orders records so that none comes before one that it names, otherwise as given; circles are left out."""
    by_line = {record.line: record for record in records}
    return [by_line[line] for line in _ordered(_named_lines(by_line.values()))]


def circular_references(records: Iterable[Record]) -> list[tuple[Record, Problem]]:
    """Finds the records that are made from themselves by way of others of the set.

    The database finds them too, but says so of the set as a whole. A record that names itself is left to it.
    """
    by_line = {record.line: record for record in records}
    named = _named_lines(by_line.values())
    if not any(named.values()):
        return []
    # What cannot be put behind what it names stands in a circle, or is made from one; what cannot be put before it
    # either stands in one.
    entangled = named.keys() - set(_ordered(named))
    named_by: dict[int, set[int]] = {line: set() for line in entangled}
    for line in entangled:
        for other in named[line] & entangled:
            named_by[other].add(line)
    circular = entangled - set(_ordered(named_by))
    line_of = {record.artifact_id: line for line, record in by_line.items() if line in circular}
    return [
        (record, Problem(path, f"names {reference}, which would be made from this record in turn"))
        for record in (by_line[line] for line in sorted(circular))
        for path, reference in record.references
        if reference in line_of
    ]


def _named_lines(records: Iterable[Record]) -> dict[int, set[int]]:
    """The lines of the set that each line names."""
    records = list(records)
    line_of: dict[str, int] = {}
    for record in records:
        if record.artifact_id is not None:
            line_of.setdefault(record.artifact_id, record.line)
    return {
        record.line: {
            line_of[reference]
            for _, reference in record.references
            if reference in line_of and reference != record.artifact_id
        }
        for record in records
    }


def _ordered(named: Mapping[int, set[int]]) -> Iterator[int]:
    sorter = TopologicalSorter(named)
    with suppress(CycleError):  # it goes on to order what can be ordered
        sorter.prepare()
    ready = list(sorter.get_ready())
    heapq.heapify(ready)
    while ready:
        line = heapq.heappop(ready)
        yield line
        sorter.done(line)
        for unblocked in sorter.get_ready():
            heapq.heappush(ready, unblocked)


def _malformed_arguments(arguments: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in arguments.items():
        if name not in REGISTRATION_PARAMETERS:
            yield Problem(json_pointer([name]), "is not a parameter of register_model()")
        elif value is not None:
            expected = _JSON_TYPE_OF_SQL_TYPE.get(type_of(name))
            if expected is not None and _json_type(value) != expected:
                yield Problem(json_pointer([name]), f"must be a {expected}, not {_json_type(value)}")


def _unstorable_texts(value: Any, path: list[str | int]) -> Iterator[Problem]:
    if isinstance(value, str):
        if wrong := text_problem(value):
            yield Problem(json_pointer(path), wrong)
    elif isinstance(value, list):
        for place, member in enumerate(value):
            yield from _unstorable_texts(member, [*path, place])
    elif isinstance(value, dict):
        for key, member in value.items():
            if wrong := text_problem(key):
                yield Problem(json_pointer(path), f"has a key that {wrong}")
            else:
                yield from _unstorable_texts(member, [*path, key])


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _json_type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "null")


def _refuse_constant(constant: str) -> Any:
    raise UnreadableRecordError(f"is not valid JSON: {constant} is no JSON number")
