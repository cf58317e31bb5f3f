"""Takes a legacy document apart without losing what plain parsing would lose: repeated keys, digits, odd characters."""

import json
import re
from decimal import Decimal
from typing import Any

from atlas_models.validation.engine import is_nested_deeper, json_pointer
from atlas_models.validation.limits import (
    MAX_BYTES,
    MAX_DEPTH,
    LimitExceededError,
    _bounded_integer,
    _finite_float,
    _not_finite,
)

MAX_VARIANTS = 8
# How much of a document that cannot be parsed is handed on to be quoted.
MAX_SHOWN = 1000


class Entry:
    """One fact of the legacy document: a key of the top level, or one inside that a rule asks for.

    doubt says why its value may not be what was meant (a key that occurs twice, a character that cannot be kept).
    offered and taken count the fields that it offers a value for, and those that took it; inner are the facts inside
    that offer something; rounded are the places of numbers that lost digits, with those digits and what is left.
    """

    doubt: str | None = None
    offered = 0
    taken = 0
    inner: "list[Entry] | None" = None
    rounded: list[tuple[tuple[str, ...], str, float]] | None = None

    def __init__(self, path: tuple[str, ...], value: Any) -> None:
        self.path = path
        self.value = value
        self.is_absent = value is None or (type(value) is str and (not value or value.isspace()))

    @property
    def where(self) -> str:
        """The JSON pointer to the fact in the legacy document."""
        key = self.path[0]
        return "/" + key if len(self.path) == 1 and key.isidentifier() else json_pointer(self.path)


class UnusableError(Exception):
    """The document cannot be read as one: what it is instead, and its value where that can be kept."""

    def __init__(self, why: str, seen: Any, value: Any = None) -> None:
        super().__init__(why)
        self.why = why
        self.seen = seen
        self.value = value


class _Unusual(Exception):  # noqa: N818 - a signal between two ways to parse, never seen outside
    """The document holds what plain parsing would lose: a key that occurs twice, digits that a double drops."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written: every key, as often as it occurs."""


class _WrittenFloat(float):
    """A number with the digits that it is written with."""

    digits: str

    def __new__(cls, digits: str) -> "_WrittenFloat":
        number = super().__new__(cls, _finite_float(digits))
        number.digits = digits
        return number


def _plain_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Unusual
    return members


def _exact_float(digits: str) -> float:
    value = _finite_float(digits)
    # A double keeps all of 15 digits.
    if len(digits) > 16 and not _is_exact(digits, value):
        raise _Unusual
    return value


def _is_exact(digits: str, value: float) -> bool:
    return repr(value) == digits or Decimal(repr(value)) == Decimal(digits)


_PLAIN = json.JSONDecoder(
    object_pairs_hook=_plain_object, parse_int=_bounded_integer, parse_float=_exact_float, parse_constant=_not_finite
)
_LITERAL = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_bounded_integer, parse_float=_WrittenFloat, parse_constant=_not_finite
)
_UNSTORABLE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_UNKEPT = "has a character that PostgreSQL cannot keep, here replaced"


def read_entries(text: str | None) -> list[Entry]:
    """Take a document apart into the facts of its top level; raises UnusableError for what is no usable object."""
    if text is None:
        raise UnusableError("the row has no metadata", None)
    if len(text) > MAX_BYTES or (len(text) > MAX_BYTES // 4 and len(text.encode()) > MAX_BYTES):
        raise UnusableError(f"the metadata is larger than {MAX_BYTES} bytes of text", text[:MAX_SHOWN])
    if is_nested_deeper(text, MAX_DEPTH):
        raise UnusableError(f"the metadata is nested deeper than {MAX_DEPTH} levels", text[:MAX_SHOWN])
    try:
        if _UNSTORABLE_ESCAPE.search(text):
            return _literal_entries(_LITERAL.decode(text))
        document = _PLAIN.decode(text)
    except _Unusual:
        return _literal_entries(_LITERAL.decode(text))
    except LimitExceededError as error:
        raise UnusableError(f"the metadata {error}", text[:MAX_SHOWN]) from None
    except ValueError:
        raise UnusableError("the metadata is not valid JSON", text[:MAX_SHOWN]) from None
    if type(document) is not dict:
        raise UnusableError("the metadata is no object", document, document)
    return [Entry((key,), value) for key, value in document.items()]


def _literal_entries(document: Any) -> list[Entry]:
    """The facts of a document in which something occurs twice or cannot be kept as it is written.

    A value that is written in several ways (a key inside it occurs twice) becomes several facts of the same key.
    """
    if type(document) is not _Pairs:
        value = _plain(document, (), 0, [], [])
        raise UnusableError("the metadata is no object", value, value)
    entries: list[Entry] = []
    for key, value in document:
        clean_key = _UNSTORABLE.sub("\ufffd", key)
        known: list[Any] = []
        for occurrence in range(MAX_VARIANTS):
            doubts: list[str] = [] if clean_key == key else [_UNKEPT]
            rounded: list[tuple[tuple[str, ...], str, float]] = []
            variant = _plain(value, (clean_key,), occurrence, doubts, rounded)
            if not any(same(variant, other) for other in known):
                known.append(variant)
                entry = Entry((clean_key,), variant)
                entry.doubt = doubts[0] if doubts else None
                entry.rounded = rounded
                entries.append(entry)
    return entries


def _plain(
    value: Any,
    path: tuple[str, ...],
    occurrence: int,
    doubts: list[str],
    rounded: list[tuple[tuple[str, ...], str, float]],
) -> Any:
    """Turn a literal value into a plain one; of a key that occurs several times, the given occurrence counts."""
    if type(value) is _Pairs:
        found: dict[str, list[Any]] = {}
        for key, item in value:
            found.setdefault(_UNSTORABLE.sub("\ufffd", key), []).append(item)
            if _UNSTORABLE.search(key):
                doubts.append(_UNKEPT)
        return {
            key: _plain(items[min(occurrence, len(items) - 1)], (*path, key), occurrence, doubts, rounded)
            for key, items in found.items()
        }
    if type(value) is list:
        return [_plain(item, (*path, str(at)), occurrence, doubts, rounded) for at, item in enumerate(value)]
    if type(value) is _WrittenFloat:
        number = float(value)
        if not _is_exact(value.digits, number):
            rounded.append((path, value.digits, number))
        return number
    if type(value) is str and _UNSTORABLE.search(value):
        doubts.append(_UNKEPT)
        return _UNSTORABLE.sub("\ufffd", value)
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; 1 and 1.0 are, 1 and true are not."""
    if type(one) is dict and type(other) is dict:
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(map(same, one, other))
    return (type(one) is bool) == (type(other) is bool) and bool(one == other)
