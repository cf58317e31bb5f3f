"""What a person answers to the questions of a backfill: read from what was typed, and put together for one model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from atlas_models.documents import UnwritableError, json_text
from atlas_models.results import BackfillReview

WHOLE = "metadata"  # the question is about the document, not about a field of it
_EXTRA = "extra"  # may be asked about several times, each time about other keys


def parse_answer(text: str) -> Any:
    """Reads a value as it was typed: JSON where it is JSON, otherwise the text itself.

    Args:
        text: ``12``, ``true``, ``null``, ``["a", "b"]``, ``"12"`` for a text of digits, or a bare text.

    Returns:
        The value; numbers with a fraction as Decimal, so that no digit is lost.
    """
    text = text.strip()
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def parse_patch(text: str) -> dict[str, Any]:
    """Reads a whole patch, one JSON object; lines that begin with # are left out.

    Raises:
        ValueError: It is none; the text says why, in one line.
    """
    kept = "\n".join("" if line.startswith("#") else line for line in text.splitlines())
    if not kept.strip():
        return {}
    try:
        patch = json.loads(kept, parse_float=Decimal, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: is not valid JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError("is nested too deep") from None
    if not isinstance(patch, dict):
        raise ValueError('must be one JSON object, {"field": value}')
    return patch


def reading_as_answer(review: BackfillReview, reading: Any) -> Any:
    """Gives the answer that chooses a reading.

    Which version is the latest is offered as artifact ids, and answered about the model at hand with true or false.
    """
    if review.field == "is_latest" and isinstance(reading, str):
        return reading == review.artifact_id
    return reading


def add_answer(patch: dict[str, Any], field: str, value: Any) -> None:
    """Puts an answer into a patch.

    Args:
        patch: The answers about one model so far; changed in place.
        field: What the question is about; about the metadata as a whole the value holds the fields.
        value: The answer.

    Raises:
        ValueError: The value cannot be an answer to this question; the text says why.
    """
    if field == WHOLE:
        if not isinstance(value, Mapping):
            raise ValueError('this is about the whole document: give its fields as a JSON object, {"field": value}')
        patch.update(value)
    elif field == _EXTRA and isinstance(value, Mapping) and isinstance(patch.get(_EXTRA), dict):
        patch[_EXTRA].update(value)
    else:
        patch[field] = dict(value) if isinstance(value, Mapping) else value


def value_text(value: Any) -> str:
    """Writes a value as JSON, on one line, as a person would type it."""
    try:
        return json_text(value)
    except UnwritableError:  # it is refused when it is sent, and until then shown as well as can be
        return json.dumps(value, ensure_ascii=False, default=str)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
