"""What is wrong with a model's metadata, one line a problem: the limits first, then the schema."""

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from atlas_models.validation.engine import json_pointer
from atlas_models.validation.limits import LimitExceededError, parse_document

MAX_PROBLEMS = 100
MAX_LINE = 400

_ARTICLES = {"integer": "an integer", "array": "a list", "object": "an object", "null": "null"}


class Problem(NamedTuple):
    """One thing wrong with a document: where (JSON pointer), by which keyword, and what; never the value itself."""

    path: str
    keyword: str
    message: str


def find_problems(validator: Any, schema: Any, text: str | None) -> list[Problem]:
    """List what is wrong with a document given as JSON text, sorted by place; an empty list for a valid one.

    schema is the parsed schema that validator was compiled from; it names the fields that a misspelt one is compared
    with. At most 100 problems are listed.
    """
    if text is None:
        return [Problem("", "type", "must be an object, not null")]
    try:
        document = parse_document(text)
    except LimitExceededError as error:
        return [Problem("", error.keyword, str(error))]
    except ValueError:
        return [Problem("", "json", "is not valid JSON")]
    errors = list(validator.iter_errors(document))
    selected = _selected_variant(errors)
    if selected is not None:
        errors = selected
    return sorted({problem for error in errors for problem in _explain(error, schema, document)})[:MAX_PROBLEMS]


def as_lines(problems: Iterable[Problem]) -> str:
    """Write problems as the DETAIL of an error: one line each, `JSON pointer: what is wrong`."""
    return "\n".join(f"{path}: {message}"[:MAX_LINE] for path, _, message in problems)


def _selected_variant(errors: list[Any]) -> list[Any] | None:
    # Without a usable discriminator no variant is meant, and what the others say would only mislead.
    discriminator = [error for error in errors if not _is_one_of(error)]
    if discriminator:
        return discriminator
    for error in errors:
        for branch in error.kind.context:
            if not any(list(inner.instance_path) == ["is_external"] for inner in branch):
                return list(branch)
    return None


def _is_one_of(error: Any) -> bool:
    return error.kind.name == "oneOf" and not error.instance_path


def _explain(error: Any, schema: Any, document: Any) -> Iterator[Problem]:
    kind, path, keyword = error.kind, list(error.instance_path), error.kind.name
    if keyword == "required":
        yield Problem(json_pointer([*path, kind.property]), keyword, "is required")
    elif keyword == "additionalProperties":
        for name in kind.unexpected:
            yield Problem(json_pointer([*path, name]), keyword, _unexpected(name, schema, document))
    elif keyword == "anyOf":
        yield from _explain_alternatives(error, schema, document)
    else:
        yield Problem(json_pointer(path), keyword, _message(error))


def _explain_alternatives(error: Any, schema: Any, document: Any) -> Iterator[Problem]:
    place = list(error.instance_path)
    of_this_type = [
        branch
        for branch in error.kind.context
        if not any(inner.kind.name == "type" and list(inner.instance_path) == place for inner in branch)
    ]
    if len(of_this_type) == 1:
        for inner in of_this_type[0]:
            yield from _explain(inner, schema, document)
        return
    types = [name for branch in error.kind.context for inner in branch for name in getattr(inner.kind, "types", [])]
    yield Problem(json_pointer(place), "type", f"must be {_one_of(types)}, not {_type_of(error.instance)}")


def _unexpected(name: str, schema: Any, document: Any) -> str:
    variants = {variant["properties"]["is_external"]["const"]: variant["properties"] for variant in schema["oneOf"]}
    is_external = document["is_external"] is True
    if name in variants[not is_external]:
        other = "internal" if is_external else "external"
        return f"belongs to {other} models only, and is_external is {str(is_external).lower()}"
    near = difflib.get_close_matches(name, variants[is_external], n=1, cutoff=0.75)
    meant = f"did you mean {near[0]}?" if near else "facts of your own go into extra"
    return f"is not a field of the schema; {meant}"


def _message(error: Any) -> str:
    kind, keyword = error.kind, error.kind.name
    if keyword == "type":
        return f"must be {_one_of(kind.types)}, not {_type_of(error.instance)}"
    if keyword == "pattern" and kind.pattern == r"\S":
        return "must not be blank"
    if keyword == "propertyNames":
        return f"has a name that {_message(kind.error)}"
    if keyword in _LIMITS:
        return _LIMITS[keyword].format(limit=kind.limit)
    if keyword == "format":
        return f"must be a valid {kind.format}"
    if keyword == "const":
        return f"must be {json.dumps(kind.expected_value)}"
    return f"does not satisfy the schema's {keyword}"


_LIMITS = {
    "minimum": "must be at least {limit}",
    "maximum": "must be at most {limit}",
    "exclusiveMinimum": "must be more than {limit}",
    "exclusiveMaximum": "must be less than {limit}",
    "minLength": "must have at least {limit} characters",
    "maxLength": "must have at most {limit} characters",
    "minItems": "must list at least {limit}",
    "maxItems": "must list at most {limit}",
    "minProperties": "must name at least {limit}",
    "maxProperties": "must name at most {limit}",
}


def _one_of(types: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(_ARTICLES.get(name, f"a {name}") for name in types))


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = {str: "a string", dict: "an object", list: "a list", float: "a fraction"}
    return names.get(type(value), "a number")
