"""The limits that hold for every document, whatever the schema says: size, depth, numbers."""

import json
from decimal import Decimal
from typing import Any

from atlas_models.validation.engine import is_nested_deeper

MAX_BYTES = 1_048_576
MAX_DEPTH = 100
_NO_NUMBER = "holds a number that is neither a 64-bit integer nor a finite double"


class LimitExceededError(ValueError):
    """The document breaks a limit that holds whatever the schema says."""

    def __init__(self, keyword: str, message: str) -> None:
        super().__init__(message)
        self.keyword = keyword


def parse_document(text: str) -> Any:
    """Parse JSON text into Python values within the limits.

    Integers must fit 64 bits or be exactly what a double writes; other numbers must be finite doubles; at most 1 MiB
    of UTF-8 text; at most 100 levels. Raises LimitExceededError, or ValueError when the text is no JSON.
    """
    if len(text) > MAX_BYTES or (len(text) > MAX_BYTES // 4 and len(text.encode()) > MAX_BYTES):
        raise LimitExceededError("size", f"is larger than {MAX_BYTES} bytes of text")
    if is_nested_deeper(text, MAX_DEPTH):
        raise LimitExceededError("depth", f"is nested deeper than {MAX_DEPTH} levels")
    return _DECODER.decode(text)


def _bounded_integer(digits: str) -> int | float:
    if len(digits) < 19 or (len(digits) <= 20 and -(2**63) <= int(digits) < 2**63):
        return int(digits)
    # 3.14e23 is stored by jsonb as an integer of 24 digits: still a double, so still welcome.
    value = float(digits)
    if value - value == 0 and Decimal(repr(value)) == Decimal(digits):
        return value
    raise LimitExceededError("number", _NO_NUMBER)


def _finite_float(digits: str) -> float:
    value = float(digits)
    if value - value != 0:
        return float(_not_finite(digits))
    # Written out, 1e-400 has 402 characters: what is not 0 and smaller is nothing that a double comes near.
    if not value and len(digits) > 402 and digits.strip("-0."):
        raise LimitExceededError("number", _NO_NUMBER)
    return value


def _not_finite(_: str) -> float:
    raise LimitExceededError("number", "holds a number that is not finite")


_DECODER = json.JSONDecoder(parse_int=_bounded_integer, parse_float=_finite_float, parse_constant=_not_finite)


def is_valid(validator: Any, text: str | None) -> bool:
    """Whether a document given as JSON text is within the limits and valid; never raises for a document."""
    if text is None:
        return False
    try:
        return bool(validator.is_valid(parse_document(text)))
    except ValueError:
        return False
