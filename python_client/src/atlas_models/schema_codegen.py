"""Generates the SQL bodies that carry the metadata schema, the validation code or the backfill's (`make schemas`).

``schemas/model_artifact_metadata.json`` is the current version; its ``$id`` ends in the version's number. A released
version stands, frozen, in ``schemas/released/`` with its checksum. Every file under ``schemas/templates/`` becomes
the file of the same path under ``sql/``: placeholders are replaced by the Python sources of
:mod:`atlas_models.validation` and :mod:`atlas_models.backfill` and by the schemas. The schemas test themselves first,
on ``schemas/examples/``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs

from atlas_models.backfill import (
    code_links,
    decisions,
    legacy_documents,
    normalisation,
    numbers,
    quoting,
    readings,
    rules,
)
from atlas_models.validation import engine, limits, metadata, quick_start

# What a template may ask for. Within one body they share a namespace: no two define the same name at their top level.
SOURCES = (
    *(quick_start, engine, limits, metadata),
    *(readings, numbers, code_links, rules, legacy_documents, quoting, decisions, normalisation),
)
CURRENT = "model_artifact_metadata.json"
_ID = re.compile(r"urn:atlas:model-artifact-metadata:([1-9][0-9]*)")
_OWN_IMPORT = re.compile(r"^from atlas_models\.[\w.]+ import (?:\([^)]*\)|[^(\n]*)\n", re.MULTILINE)
_PLACEHOLDER = re.compile(r"^( *)\{\{ (\w+) \}\}$", re.MULTILINE)


class SchemaError(Exception):
    """A schema file, an example or a template is not as it must be; the message names the file and the reason."""


@dataclass(frozen=True)
class SchemaVersion:
    """One version of the metadata schema: its number, where it stands, the file's bytes and what they parse to."""

    number: int
    path: Path
    content: bytes
    schema: dict[str, Any]


def load_versions(schemas: Path) -> list[SchemaVersion]:
    """Read the released versions and the current one, in order of their numbers, 1..n without a gap.

    Raises SchemaError when a file is no valid Draft-07 schema, a released one differs from its checksum, or the
    current one is neither the last release itself nor the number after it.
    """
    released = [_read(path) for path in sorted((schemas / "released").glob("*.json"))]
    released.sort(key=lambda version: version.number)
    _verify_checksums(schemas / "released", released)
    current = _read(schemas / CURRENT)
    if released and current.number == released[-1].number:
        if current.content != released[-1].content:
            raise SchemaError(
                f"{current.path.name}: version {current.number} is released and frozen; "
                f"give the changed schema the number {current.number + 1} in its $id"
            )
        versions = released
    else:
        versions = [*released, current]
    for expected, version in enumerate(versions, start=1):
        if version.number != expected:
            raise SchemaError(f"{version.path.name}: its $id says version {version.number}, expected {expected}")
    return versions


def _read(path: Path) -> SchemaVersion:
    try:
        content = path.read_bytes()
        schema = json.loads(content)
    except OSError as error:
        raise SchemaError(f"{path.name}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SchemaError(f"{path.name}: is not valid JSON: {error}") from None
    found = _ID.fullmatch(schema.get("$id", "")) if isinstance(schema, dict) else None
    if found is None:
        raise SchemaError(f"{path.name}: $id must be urn:atlas:model-artifact-metadata:<version>")
    if schema.get("$schema") != "http://json-schema.org/draft-07/schema#":
        raise SchemaError(f"{path.name}: $schema must name Draft-07")
    try:
        jsonschema_rs.meta.validate(schema)
        engine.compile_schema(schema)
    except jsonschema_rs.ValidationError as error:
        raise SchemaError(f"{path.name}: {engine.json_pointer(error.instance_path)}: {error.message}") from None
    return SchemaVersion(int(found.group(1)), path, content, schema)


def _verify_checksums(folder: Path, released: list[SchemaVersion]) -> None:
    listed = {}
    if (folder / "SHA256SUMS").exists():
        for line in (folder / "SHA256SUMS").read_text().splitlines():
            digest, name = line.split()
            listed[name] = digest
    for version in released:
        if listed.pop(version.path.name, None) != hashlib.sha256(version.content).hexdigest():
            raise SchemaError(f"released/{version.path.name}: differs from its checksum; a released version is frozen")
    if listed:
        raise SchemaError(f"released/SHA256SUMS: names files that are not there: {', '.join(sorted(listed))}")


def self_test(schemas: Path, version: SchemaVersion) -> int:
    """Check a version against its examples and return how many there are.

    ``examples/<version>.json`` holds ``valid`` (name → document) and ``invalid`` (name → document and the exact
    problem lines). Raises SchemaError for the first example that is answered otherwise.
    """
    path = schemas / "examples" / f"{version.number}.json"
    try:
        examples = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SchemaError(f"examples/{path.name}: cannot be read: {error}") from None
    validator = engine.compile_schema(version.schema)
    wanted: dict[str, tuple[Any, list[str]]] = {name: (document, []) for name, document in examples["valid"].items()}
    wanted |= {name: (example["document"], example["problems"]) for name, example in examples["invalid"].items()}
    for name, (document, problems) in wanted.items():
        text = json.dumps(document)
        found = metadata.as_lines(metadata.find_problems(validator, version.schema, text)).splitlines()
        if found != problems or limits.is_valid(validator, text) is bool(problems):
            raise SchemaError(f"examples/{path.name}: {name}: expected {problems}, found {found}")
    return len(wanted)


def render(template: str, versions: list[SchemaVersion]) -> str:
    """Fill a template.

    ``{{ schemas }}`` becomes a dict of version → schema text, ``{{ current_schema }}`` one of the current version
    alone, ``{{ current }}`` its number; the name of a module in ``SOURCES`` becomes the source of that module.
    """
    parts = {module.__name__.rpartition(".")[2]: _source(module) for module in SOURCES}
    parts |= {"schemas": _schemas_literal(versions), "current_schema": _schemas_literal(versions[-1:])}

    def fill(match: re.Match[str]) -> str:
        indent, name = match.groups()
        lines = parts[name].splitlines()
        return "\n".join(indent + line if line else "" for line in lines)

    return _PLACEHOLDER.sub(fill, template).replace("{{ current }}", str(versions[-1].number))


def _source(module: Any) -> str:
    text = Path(module.__file__).read_text()
    return _OWN_IMPORT.sub("", text).rstrip()


def _schemas_literal(versions: list[SchemaVersion]) -> str:
    texts = {version.number: json.dumps(version.schema, separators=(",", ":")) for version in versions}
    return "\n".join(["SCHEMAS = {", *(f'    {number}: r"""{text}""",' for number, text in texts.items()), "}"])


def generate(root: Path) -> dict[Path, str]:
    """Render every template of a checkout: path under ``sql/`` → text. Raises SchemaError; writes nothing."""
    schemas = root / "schemas"
    versions = load_versions(schemas)
    for version in versions:
        self_test(schemas, version)
    templates = schemas / "templates"
    return {
        root / "sql" / path.relative_to(templates): render(path.read_text(), versions)
        for path in sorted(templates.rglob("*.sql"))
    }


def freeze(root: Path) -> Path:
    """Release the current version: copy it to ``schemas/released/`` and record its checksum. Returns the copy's path.

    Raises SchemaError when it is released already or is not fit to be.
    """
    schemas = root / "schemas"
    current = load_versions(schemas)[-1]
    self_test(schemas, current)
    target = schemas / "released" / f"model_artifact_metadata.v{current.number}.json"
    if target.exists():
        raise SchemaError(f"version {current.number} is released already")
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(current.content)
    with (target.parent / "SHA256SUMS").open("a") as sums:
        sums.write(f"{hashlib.sha256(current.content).hexdigest()}  {target.name}\n")
    return target


def main(arguments: list[str] | None = None) -> int:
    """Write the generated files; ``--check`` only names those that differ; ``--release`` freezes the schema first."""
    parser = argparse.ArgumentParser(prog="schema_codegen", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a generated file differs")
    parser.add_argument("--release", action="store_true", help="freeze the current schema version")
    options = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        if options.release:
            print(f"released {freeze(root).relative_to(root)}")
        generated = generate(root)
    except SchemaError as error:
        print(f"schemas: {error}", file=sys.stderr)
        return 1
    stale = [path for path, text in generated.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if not options.check:
            path.write_text(generated[path])
        print(f"{'differs' if options.check else 'written'}: {path.relative_to(root)}")
    if not stale:
        print(f"schemas: {len(generated)} generated files are up to date")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
