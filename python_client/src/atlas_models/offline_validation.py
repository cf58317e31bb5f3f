"""Checks metadata without a database, with the schema of this package and the code that the database runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from atlas_models.deployment_files import packaged_folder
from atlas_models.documents import UnwritableError, json_text
from atlas_models.errors import InvalidMetadata, Problem
from atlas_models.validation.engine import compile_schema
from atlas_models.validation.limits import is_valid
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
    if is_valid(validator, text):  # several times faster than listing what is wrong
        return []
    return [Problem(path, message) for path, _, message in find_problems(validator, schema, text)]


def metadata_schema_version() -> int:
    """Gives the version of the metadata schema that came with this package."""
    _, schema = _current_schema()
    return int(schema["$id"].rpartition(":")[2])


@lru_cache(maxsize=1)
def _current_schema() -> tuple[Any, Any]:
    schema = json.loads((packaged_folder() / "schemas" / _SCHEMA_FILE).read_text(encoding="utf-8"))
    return compile_schema(schema), schema
