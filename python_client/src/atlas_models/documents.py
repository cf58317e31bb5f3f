"""Writes Python values as JSON text, exactly, and says what cannot be written instead of changing it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from atlas_models.errors import Problem
from atlas_models.validation.engine import json_pointer
from atlas_models.validation.limits import MAX_DEPTH

_Path = tuple[str | int, ...]
# Made once: json.dumps() makes an encoder for every text that is not to be ASCII.
_quoted = json.JSONEncoder(ensure_ascii=False).encode


class UnwritableError(ValueError):
    """A value that JSON, or PostgreSQL's jsonb, cannot hold.

    Args:
        problems: What cannot be written, each with its JSON pointer.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} values cannot be written as JSON")
        self.problems = problems


def json_text(value: Any) -> str:
    """Writes a value as JSON text with PostgreSQL's spacing.

    ``json.dumps`` would write NaN, turn numbers used as keys into text, and refuse Decimal.

    Args:
        value: Mappings with text keys, lists, tuples, text, numbers (int, float, Decimal: every digit is kept),
            booleans and None, at most 100 levels deep.

    Returns:
        The text.

    Raises:
        UnwritableError: It holds anything else: NaN, infinities, NUL characters, lone surrogates, other types.
    """
    problems: list[Problem] = []
    text = "".join(_write(value, (), problems))
    if problems:
        raise UnwritableError(problems)
    return text


def parse_jsonb(text: str | bytes) -> Any:
    """Parses what PostgreSQL wrote, so that a number comes back equal to the one that was sent.

    jsonb writes 6.02214076e23 as an integer of 24 digits. An integer beyond 64 bits is only accepted when a double
    writes just these digits, so the double is what was meant.

    Args:
        text: JSON text.

    Returns:
        dict, list, str, bool, None; int within 64 bits, otherwise float.
    """
    return json.loads(text, parse_int=_integer_or_double)


def text_problem(text: str) -> str | None:
    """Says why PostgreSQL cannot hold a text.

    Args:
        text: The text.

    Returns:
        What is wrong with it, or None.
    """
    if "\0" in text:
        return "holds a NUL character, which PostgreSQL cannot store"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "holds half of a surrogate pair, which is no Unicode text"
    return None


def _write(value: Any, path: _Path, problems: list[Problem]) -> Iterator[str]:
    if isinstance(value, (Mapping, list, tuple)):
        # Also the end of a value that holds itself.
        if len(path) >= MAX_DEPTH:
            _add(problems, (), f"is nested deeper than {MAX_DEPTH} levels")
        elif isinstance(value, Mapping):
            yield from _write_object(value, path, problems)
        else:
            yield from _write_array(value, path, problems)
    else:
        text = _scalar(value)
        if isinstance(text, str):
            yield text
        else:
            _add(problems, path, text.message)


def _write_object(value: Mapping[Any, Any], path: _Path, problems: list[Problem]) -> Iterator[str]:
    yield "{"
    separator = ""
    for key, member in value.items():
        wrong = text_problem(key) if isinstance(key, str) else "is not text"
        if wrong:
            _add(problems, path, f"has a key that {wrong}")
            continue
        yield f"{separator}{_quoted(key)}: "
        yield from _write(member, (*path, key), problems)
        separator = ", "
    yield "}"


def _write_array(value: list[Any] | tuple[Any, ...], path: _Path, problems: list[Problem]) -> Iterator[str]:
    yield "["
    for place, member in enumerate(value):
        if place:
            yield ", "
        yield from _write(member, (*path, place), problems)
    yield "]"


def _scalar(value: Any) -> str | Problem:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        wrong = text_problem(value)
        return Problem("", wrong) if wrong else _quoted(str(value))
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return float.__repr__(value) if math.isfinite(value) else Problem("", "must be a finite number")
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else Problem("", "must be a finite number")
    return Problem("", f"is of the type {type(value).__name__}, which JSON does not have")


def _integer(value: int) -> str | Problem:
    try:
        return int.__repr__(value)
    except ValueError:  # beyond sys.get_int_max_str_digits()
        return Problem("", "holds a number that is neither a 64-bit integer nor a finite double")


def _integer_or_double(digits: str) -> int | float:
    if len(digits) < 19 or -(2**63) <= int(digits) < 2**63:
        return int(digits)
    return float(digits)


def _add(problems: list[Problem], path: _Path, message: str) -> None:
    problem = Problem(json_pointer(path), message)
    if problem not in problems:
        problems.append(problem)
