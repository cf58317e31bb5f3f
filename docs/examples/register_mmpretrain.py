"""Registers MMPreTrain's catalogue of models: an example of mapping a catalogue, explained in docs/map_a_catalogue.md.

    python docs/examples/register_mmpretrain.py postgresql://user@host/database mmpretrain_models.jsonl
    python docs/examples/register_mmpretrain.py --json-lines mmpretrain_models.jsonl | atlas register

The first registers by the Python client; the second writes the same registrations for the command `atlas register`.
Nothing is altered to fit and nothing is invented: a value is a fact of the record, or it is left out. Run again, either
way, it registers nothing twice.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import psycopg

from atlas_models import AtlasError, InvalidMetadata, Problem, Registration, Registry, validate_metadata

# The one fact that no record states, because it holds for all of them: MMPreTrain is a toolbox based on PyTorch
# (README of https://github.com/open-mmlab/mmpretrain).
FRAMEWORK = "PyTorch"

# PyTorch's documentation on saving models: .pt or .pth by convention, .tar for checkpoints.
PYTORCH_FILE = re.compile(r".*\.(pt|pth|pth\.tar)")

# A version is taken from a base's URL only where the URL names one that cannot come to mean something else by itself.
VERSIONS_IN_URLS = (
    # A release's tag on GitHub.
    re.compile(r"https://github\.com/[^/]+/[^/]+/releases/download/(?P<version>[^/]+)/[^/]+"),
    # The convention that torch.hub checks: name-<first eight or more digits of the file's SHA-256>.extension
    re.compile(r".*/[^/]+-(?P<version>[0-9a-f]{8,64})\.pth"),
    # A folder named by the file's whole SHA-256.
    re.compile(r".*/(?P<version>[0-9a-f]{64})/[^/]+"),
)

TRAINING_FACTS = ("Epochs", "Batch Size", "Training Techniques", "Training Resources")

Record = dict[str, Any]
MetadataErrors = Callable[[Mapping[str, Any]], list[Problem]]


@dataclass
class Base:
    """A model that models of the catalogue were converted from.

    Args:
        url: Its weights, as ``Converted From`` names them.
        records: The models converted from it.
    """

    url: str
    records: list[Record] = field(default_factory=list)


@dataclass
class Lacking:
    """Something that cannot be registered.

    Args:
        what: The model's name or the base's URL.
        problems: What is lacking or wrong: ``external_source_version: is required``.
        named_by: For a base, the models that name it.
    """

    what: str
    problems: list[str]
    named_by: list[str]


@dataclass
class Report:
    """What became of a catalogue."""

    records: int = 0
    models: int = 0
    models_created: int | None = None  # unknown where no registry was asked
    bases: int = 0
    bases_created: int | None = None
    linked: int = 0
    models_lacking: list[Lacking] = field(default_factory=list)
    bases_lacking: list[Lacking] = field(default_factory=list)
    not_given: Counter[str] = field(default_factory=Counter)


def read_catalogue(path: Path) -> list[Record]:
    """Reads one JSON object a line."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def map_catalogue(records: list[Record], metadata_errors: MetadataErrors) -> tuple[list[Registration], Report]:
    """Maps the bases, then the models with the ids of their bases; what lacks a required field is listed.

    Args:
        records: The catalogue.
        metadata_errors: Knows what metadata must have.

    Returns:
        What can be registered, and the report as far as it is known by then.
    """
    report = Report(records=len(records))
    bases, base_ids = [], {}
    for base in find_bases(records):
        registration = base_registration(base)
        if problems := what_is_lacking(registration, metadata_errors):
            names = [record["model"]["Name"] for record in base.records]
            report.bases_lacking.append(Lacking(base.url, problems, names))
        else:
            bases.append(registration)
            base_ids[base.url] = registration.artifact_id
    models = []
    for record in records:
        registration = model_registration(record, base_ids.get(base_url(record) or ""))
        if problems := what_is_lacking(registration, metadata_errors):
            report.models_lacking.append(Lacking(registration.name, problems, []))
        else:
            models.append(registration)
            report.linked += "base_model_id" in registration.metadata
            report.not_given.update(facts_not_given(registration))
    report.models, report.bases = len(models), len(bases)
    return [*bases, *models], report


def register_catalogue(registry: Registry, records: list[Record]) -> Report:
    """Registers a catalogue, by the rules of the registry that it goes into."""
    registrations, report = map_catalogue(records, registry.metadata_errors)
    created = [registered.created for registered in registry.register_models(registrations)]
    report.bases_created = sum(created[: report.bases])
    report.models_created = sum(created[report.bases :])
    return report


def write_json_lines(records: list[Record], output: TextIO) -> Report:
    """Writes a catalogue for ``atlas register``, by the rules that this version of the client brings along."""
    registrations, report = map_catalogue(records, offline_metadata_errors)
    for registration in registrations:
        output.write(json.dumps(given(asdict(registration))) + "\n")
    return report


def offline_metadata_errors(metadata: Mapping[str, Any]) -> list[Problem]:
    """Lists what is wrong with metadata without asking a registry."""
    try:
        validate_metadata(metadata)
    except InvalidMetadata as error:
        return error.problems
    return []


def what_is_lacking(registration: Registration, metadata_errors: MetadataErrors) -> list[str]:
    """Writes what is wrong with a registration's metadata: ``framework: is required``."""
    problems = metadata_errors(registration.metadata)
    return [f"{problem.path.removeprefix('/')}: {problem.message}" for problem in problems]


def model_registration(record: Record, base_model_id: str | None) -> Registration:
    """Maps a record of the catalogue."""
    model = record["model"]
    declared = inherited_metadata(record)
    results = model.get("Results") or []
    facts = {
        "is_external": True,
        "model_family": model.get("In Collection"),
        "framework": FRAMEWORK,
        # The source is the catalogue's entry, in the state that was read.
        "external_source_url": f"{record['repo']}/blob/{record['commit']}/{record['file']}",
        "external_source_version": record["commit"],
        "base_model_id": base_model_id,
        "parameter_count": declared.get("Parameters"),
        "training_data": declared.get("Training Data"),
        "training_config": {name: declared[name] for name in TRAINING_FACTS if name in declared} or None,
        "evaluation_dataset": one_or_all(distinct(result.get("Dataset") for result in results)),
        "evaluation_metrics": metrics(results) or None,
        "task": only_one(distinct(result.get("Task") for result in results)),
        "extra": {"catalogue_record": record},
    }
    return Registration(
        name=model["Name"],
        metadata=given(facts),
        origin_url=model.get("Weights"),
        idempotency_key=catalogue_key(record),
    )


def base_registration(base: Base) -> Registration:
    """Maps what ``Converted From`` says of a base; what it does not say stays out."""
    # Converting changes the format of the weights, not the architecture.
    families = distinct(record["model"].get("In Collection") for record in base.records)
    facts = {
        "is_external": True,
        "model_family": only_one(families),
        "framework": "PyTorch" if PYTORCH_FILE.fullmatch(base.url) else None,
        "external_source_url": base.url,
        "external_source_version": version_in_url(base.url),
        "extra": {"converted_from": distinct(record["model"]["Converted From"] for record in base.records)},
    }
    # Its URL is the only name that the catalogue gives it.
    return Registration(
        name=base.url,
        metadata=given(facts),
        # Known before it is registered, so that its models can name it in the same file.
        artifact_id=f"model-{uuid.uuid5(uuid.NAMESPACE_URL, base.url)}",
        idempotency_key=catalogue_key(base.records[0]),
    )


def find_bases(records: list[Record]) -> list[Base]:
    """Collects the bases, each once, in the order in which they are first named."""
    bases: dict[str, Base] = {}
    for record in records:
        if url := base_url(record):
            bases.setdefault(url, Base(url)).records.append(record)
    return list(bases.values())


def base_url(record: Record) -> str | None:
    """The weights that a model was converted from."""
    return (record["model"].get("Converted From") or {}).get("Weights")


def inherited_metadata(record: Record) -> Record:
    """A model inherits its collection's metadata and may override it: so the format's documentation says.

    https://github.com/paperswithcode/model-index/blob/main/docs/2_datamodels/collection.md
    """
    collection = (record["collection"] or {}).get("Metadata") or {}
    return {**collection, **(record["model"].get("Metadata") or {})}


def metrics(results: list[Record]) -> dict[str, float]:
    """Metric name → number; with several results each name is prefixed with what was measured on what."""
    found = {}
    for result in results:
        prefix = f"{result['Task']} / {result['Dataset']}: " if len(results) > 1 else ""
        for name, value in (result.get("Metrics") or {}).items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                found[prefix + name] = value
    return found


def version_in_url(url: str) -> str | None:
    """The version that a URL names, if it names one."""
    matches = (pattern.fullmatch(url) for pattern in VERSIONS_IN_URLS)
    return next((match["version"] for match in matches if match), None)


def catalogue_key(record: Record) -> str:
    """The same state of the catalogue is registered once, however often the program runs."""
    return f"{record['repo']}@{record['commit']}"


def facts_not_given(registration: Registration) -> list[str]:
    """What the catalogue leaves open about a model and the registry can do without."""
    optional = ("parameter_count", "training_data", "evaluation_dataset", "evaluation_metrics", "task")
    lacking = [name for name in optional if name not in registration.metadata]
    return lacking if registration.origin_url else [*lacking, "Weights"]


def distinct(values: Any) -> list[Any]:
    """The different values that are not None, in order."""
    found: list[Any] = []
    for value in values:
        if value is not None and value not in found:
            found.append(value)
    return found


def only_one(values: list[Any]) -> Any:
    """The value, when there is exactly one to choose."""
    return values[0] if len(values) == 1 else None


def one_or_all(values: list[Any]) -> Any:
    """The value alone, or the list of several, or None."""
    return values if len(values) > 1 else only_one(values)


def given(facts: Record) -> Record:
    """The facts that are there."""
    return {name: value for name, value in facts.items() if value is not None}


def report_lines(report: Report, registered: str) -> Iterator[str]:
    """Writes what lacks fields, one a line, and then the counts.

    Args:
        report: What became of the catalogue.
        registered: What was done with the others: ``registered`` or ``written``.
    """
    for kind, all_lacking in (("model", report.models_lacking), ("base", report.bases_lacking)):
        for lacking in all_lacking:
            named_by = f" (named by {', '.join(lacking.named_by)})" if lacking.named_by else ""
            yield f"{kind} {lacking.what}{named_by}: {'; '.join(lacking.problems)}"
    yield f"records read: {report.records}"
    yield f"models {registered}: {counted(report.models, report.models_created)}"
    yield f"models listed with the fields they lack: {len(report.models_lacking)}"
    yield f"bases {registered}: {counted(report.bases, report.bases_created)}"
    yield f"bases listed with the fields they lack: {len(report.bases_lacking)}"
    lacking_fields = Counter(problem.split(":")[0] for lacking in report.bases_lacking for problem in lacking.problems)
    for name, count in sorted(lacking_fields.items()):
        yield f"  {name}: {count}"
    unlinked = sum(len(lacking.named_by) for lacking in report.bases_lacking)
    yield f"models linked to their base: {report.linked}"
    yield f"models whose base is listed, {registered} without the link: {unlinked}"
    yield f"models {registered} without a fact that the catalogue does not give:"
    for name, count in sorted(report.not_given.items()):
        yield f"  {name}: {count}"


def counted(mapped: int, created: int | None) -> str:
    """Writes a count, and how many of it the registry knew already, where it was asked."""
    return str(mapped) if created is None else f"{created} ({mapped - created} stood there already)"


def main(arguments: list[str]) -> int:
    """Runs the example; everything happens in one transaction."""
    if len(arguments) != 2:
        print("usage: register_mmpretrain.py URL|--json-lines FILE.jsonl", file=sys.stderr)
        return 2
    target, path = arguments
    try:
        records = read_catalogue(Path(path))
        if target == "--json-lines":
            report = write_json_lines(records, sys.stdout)
            print(*report_lines(report, "written"), sep="\n", file=sys.stderr)
            return 0
        with psycopg.connect(target) as connection:
            report = register_catalogue(Registry(connection), records)
    except (AtlasError, OSError, ValueError, psycopg.OperationalError) as error:
        print(f"register_mmpretrain.py: {error}", file=sys.stderr)
        return 1
    except psycopg.ProgrammingError:  # its words may quote the password
        print("register_mmpretrain.py: the URL cannot be read", file=sys.stderr)
        return 1
    print(*report_lines(report, "registered"), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
