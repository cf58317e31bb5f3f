"""The one place that knows which JSON Schema engine answers: jsonschema_rs, the Rust crate behind pg_jsonschema."""

import json
import re
from collections import OrderedDict
from typing import Any

import jsonschema_rs

MAX_CACHED_SCHEMAS = 64
# The engine walks documents on the native stack: a few ten thousand levels would crash the server process.
MAX_NESTING = 500
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def compile_schema(schema: Any) -> Any:
    """Compile a parsed JSON Schema into a validator.

    References are never fetched, and patterns run on the linear engine, so that no schema can make the server
    read a file, open a connection or backtrack for ever. Formats are asserted for drafts 4, 6 and 7 (the
    engine's default, as in pg_jsonschema). Raises jsonschema_rs.ValidationError for a schema that is none, and
    ValueError for a text, which the engine would take for a schema written as JSON.
    """
    if isinstance(schema, str):
        raise ValueError(f'{json.dumps(schema, ensure_ascii=False)} is not of types "boolean", "object"')
    return jsonschema_rs.validator_for(schema, offline=True, pattern_options=jsonschema_rs.RegexOptions())


def is_nested_deeper(text: str, levels: int) -> bool:
    """Whether arrays and objects of a JSON text are nested deeper than so many levels."""
    if text.count("{") + text.count("[") <= levels:
        return False
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    # What stands between quotes goes, and then all but the brackets: only they are looked at one by one.
    brackets = "".join(text.split('"')[::2]).encode("ascii", "ignore").translate(None, _NO_BRACKETS)
    depth = 0
    for bracket in brackets:
        if bracket in b"[{":
            depth += 1
            if depth > levels:
                return True
        else:
            depth -= 1
    return False


def parse_json(text: str) -> Any:
    """Parse JSON text for the engine.

    Raises ValueError for text that is none, is nested deeper than 500 levels, or holds what the engine cannot be given:
    a number beyond any double (it would take an infinity for a null), an integer of more than 4,300 digits, or half of
    a surrogate pair.
    """
    if is_nested_deeper(text, MAX_NESTING):
        raise ValueError(f"the document is nested deeper than {MAX_NESTING} levels")
    try:
        # Whoever has no such exponent and no such row of digits pays nothing for it.
        document = json.loads(text, parse_float=_finite_number if _MAY_OVERFLOW.search(text) else None)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise ValueError("the document holds a number that is too large") from None
    if _SURROGATE.search(text):
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("the document holds half of a surrogate pair") from None
    return document


_MAY_OVERFLOW = re.compile(r"[eE]\+?0*[1-9][0-9][0-9]|(?<![0-9])[0-9]{200}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _finite_number(digits: str) -> float:
    value = float(digits)
    if value - value != 0:
        raise ValueError(digits)
    return value


class SchemaCache:
    """Validators of the schemas that callers gave, by their text; the least recently used one goes first."""

    def __init__(self) -> None:
        self._validators: OrderedDict[str, Any] = OrderedDict()

    def validator(self, schema_text: str) -> Any:
        """Return the validator of a schema given as JSON text, compiled at most once while it is cached."""
        validator = self._validators.get(schema_text)
        if validator is None:
            validator = compile_schema(parse_json(schema_text))
            if len(self._validators) >= MAX_CACHED_SCHEMAS:
                self._validators.popitem(last=False)
            self._validators[schema_text] = validator
        else:
            self._validators.move_to_end(schema_text)
        return validator


def json_pointer(path: Any) -> str:
    """Write a path as an RFC 6901 JSON pointer on one line: control characters are escaped as in JSON."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return "".join("/" + json.dumps(step, ensure_ascii=False)[1:-1] for step in steps)
