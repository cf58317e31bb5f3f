"""Checks metadata without a database, with the schema of this package and the code that the database runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from atlas_models.deployment_files import packaged_folder
from atlas_models.documents import UnwritableError, json_text
from atlas_models.errors import InvalidMetadata, Problem
from atlas_models.validation.engine import compile_schema
from atlas_models.validation.limits import MAX_BYTES, is_valid
from atlas_models.validation.metadata import find_problems

_SCHEMA_FILE = "model_artifact_metadata.json"


def validate_metadata(metadata: Mapping[str, Any]) -> None:
    """Checks a model's metadata against the schema that came with this package; needs no database.

    The registry decides by its own schema, which may be newer: see :meth:`Registry.validate`.

    Args:
        metadata: The declared facts of a model.

    Raises:
        InvalidMetadata: It is not valid; ``problems`` has a line for each mistake.
    """
    problems = metadata_errors(metadata)
    if problems:
        raise InvalidMetadata(
            f"invalid metadata: {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            sqlstate="23514",
            constraint="artifacts_metadata_valid",
            problems=problems,
            hint="Correct the metadata.",
        )


def metadata_errors(metadata: Mapping[str, Any]) -> list[Problem]:
    """Lists what is wrong with a model's metadata; needs no database.

    Args:
        metadata: The declared facts of a model.

    Returns:
        The problems, sorted by place, at most 100; none for valid metadata.
    """
    try:
        text = json_text(metadata)
    except UnwritableError as error:
        return error.problems
    return metadata_text_errors(text)


def metadata_text_errors(text: str) -> list[Problem]:
    """Lists what is wrong with a model's metadata, as :func:`metadata_errors`, where it is JSON text already."""
    validator, schema = _current_schema()
    text = as_stored(text)
    if is_valid(validator, text):  # several times faster than listing what is wrong
        return []
    return [Problem(path, message) for path, _, message in find_problems(validator, schema, text)]


def as_stored(text: str) -> str:
    """Writes JSON text as the database does before it looks: numbers without exponents, its own spaces, no escapes.

    Short text without an exponent is given back as it is: of that nothing depends on how it is written. So is what is
    no JSON, and what is far too large however it is written.
    """
    if len(text) > 8 * MAX_BYTES or (len(text) < MAX_BYTES // 8 and not has_exponent(text)):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _TOKEN.sub(_token_as_stored, text)


def has_exponent(text: str) -> bool:
    """Whether JSON text holds a number with an exponent, or a text that looks so."""
    return _EXPONENT.search(text) is not None


_EXPONENT = re.compile(r"[0-9][eE][-+]?[0-9]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[ \t\r\n]+|[,:]|-?[0-9.]+[eE][-+]?[0-9]+')
# numeric keeps so many decimal places, and rounds the rest away.
_MAX_PLACES = 16_383
# No number beyond is accepted, however it is written: enough of its digits say so.
_ENOUGH_DIGITS = 450


def _token_as_stored(match: re.Match[str]) -> str:
    token = match.group()
    if token[0] == '"':
        return json.dumps(json.loads(token), ensure_ascii=False) if "\\" in token else token
    if token in ",:":
        return f"{token} "
    if token.isspace():
        return ""
    try:
        number = Decimal(token)
    except ArithmeticError:
        return token
    if not number or number.adjusted() < -_MAX_PLACES - 1:
        return "0"
    if number.adjusted() < -_ENOUGH_DIGITS:
        return f"0.{'0' * _ENOUGH_DIGITS}1"
    return token if number.adjusted() > _ENOUGH_DIGITS else format(number, "f")


def metadata_schema_version() -> int:
    """Gives the version of the metadata schema that came with this package."""
    _, schema = _current_schema()
    return int(schema["$id"].rpartition(":")[2])


@lru_cache(maxsize=1)
def _current_schema() -> tuple[Any, Any]:
    schema = json.loads((packaged_folder() / "schemas" / _SCHEMA_FILE).read_text(encoding="utf-8"))
    return compile_schema(schema), schema
