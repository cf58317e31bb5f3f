"""Bills of materials: what a model version was made of, as CycloneDX 1.6.

The library models neither ``modelCard`` nor ``data``, which the specification wants of a model and of a dataset
(https://github.com/CycloneDX/cyclonedx-python-lib/issues/912): they are put into what the library writes, and the whole
is then held against the official schema, which the library carries. Needs the extra ``bom``.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from atlas_models.errors import AtlasError, Problem
from atlas_models.results import LineageStep, ModelVersion

if TYPE_CHECKING:
    from cyclonedx.model import ExternalReference
    from cyclonedx.model.component import Component
    from cyclonedx.validation.json import JsonStrictValidator

# The same content has the same serial number, another content another one.
_SERIAL_NUMBERS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:atlas:bill-of-materials")
# What is told as a reference, which a viewer makes a link of; any other address is told as a property. All of it is an
# IRI, and none that the library would mend.
_ADDRESS = re.compile(
    r"(?:ftp|git|gs|hf|https?|s3|ssh)://(?:[\w.~-]+@)?[A-Za-z0-9.-]+(?::[0-9]+)?"
    r"(?:/(?:[\w.~!$&()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:\?(?:[\w.~!$&()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[\w.~!$&()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?",
    re.ASCII,
)
_LONGEST_ADDRESS = 2048  # as long as the registry's own; the validator takes half a second for such a one
_MISSING = "a bill of materials needs the CycloneDX library"


def write_bill(
    version: ModelVersion,
    bases: Sequence[ModelVersion],
    parent: ModelVersion | None,
    evaluated_on: LineageStep | None,
    changed_at: datetime,
) -> str:
    """Writes the bill of materials of a version.

    Args:
        version: The version.
        bases: Its base model, the base of that, and so on.
        parent: The version of the same or another model that it was made from.
        evaluated_on: The artifact that its latest metrics were measured on.
        changed_at: When something about it changed last.

    Returns:
        CycloneDX 1.6 as JSON, in ASCII: nothing in it acts on a terminal. The same arguments give the same text.

    Raises:
        AtlasError: The extra ``bom`` is not installed.
    """
    try:
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.model.component import Pedigree
        from cyclonedx.output import make_outputter
        from cyclonedx.schema import OutputFormat, SchemaVersion

        validator = _validator()
    except ImportError as error:
        raise AtlasError(
            _MISSING,
            hint="pip install 'cyclonedx-python-lib[json-validation]<12', which atlas-models[bom] brings along",
        ) from error

    root = _model(version)
    models = {made_from.artifact_id: made_from for made_from in (*bases, *([parent] if parent else []))}
    components = {artifact_id: _model(made_from) for artifact_id, made_from in models.items()}
    ancestors = [made_from for made_from in (bases[0] if bases else None, parent) if made_from is not None]
    if ancestors:
        distinct = {ancestor.artifact_id: _named(ancestor, "ancestor") for ancestor in ancestors}
        root.pedigree = Pedigree(ancestors=distinct.values())
    datasets = dict(_datasets(version, evaluated_on))
    bom = Bom(
        components=[*components.values(), *datasets.values()],
        metadata=BomMetaData(component=root, timestamp=changed_at.astimezone(timezone.utc)),
        serial_number=_SERIAL_NUMBERS,
    )
    needed = [components[ancestor.artifact_id] for ancestor in ancestors]
    bom.register_dependency(root, [*needed, *datasets.values()])
    for model, base in itertools.pairwise(bases):
        bom.register_dependency(components[model.artifact_id], [components[base.artifact_id]])

    document = json.loads(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    described = {root.bom_ref.value: (version, [dataset.bom_ref.value for dataset in datasets.values()])}
    described |= {components[each.artifact_id].bom_ref.value: (each, []) for each in models.values()}
    for component in (document["metadata"]["component"], *document.get("components", [])):
        if component["bom-ref"] in described:
            component["modelCard"] = _model_card(*described[component["bom-ref"]])
        elif component["type"] == "data":
            component["data"] = [{"type": "dataset", "name": component["name"]}]
    del document["serialNumber"]
    content = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(_SERIAL_NUMBERS, content)}"
    text = json.dumps(document, sort_keys=True, indent=2) + "\n"
    if found := validator.validate_str(text, all_errors=True):
        raise AtlasError(
            f"the bill of materials of {version.artifact_id} is not valid against CycloneDX 1.6",
            problems=[Problem("", str(error).partition("\n")[0]) for error in found],
        )
    return text


@functools.cache
def _validator() -> JsonStrictValidator:
    from cyclonedx.exception import MissingOptionalDependencyException
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    try:
        validator.validate_str("{}")
    except MissingOptionalDependencyException as error:
        raise ImportError(str(error)) from error
    return validator


def _named(version: ModelVersion, kind: str) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"{kind}:{version.artifact_id}",
        name=version.name or version.artifact_id,
        version=None if version.version_number is None else str(version.version_number),
    )


def _model(version: ModelVersion) -> Component:
    from cyclonedx import spdx
    from cyclonedx.model import Property
    from cyclonedx.model.license import DisjunctiveLicense

    component = _named(version, "model")
    component.description = version.description
    if version.license:
        known = spdx.fixup_id(version.license)
        component.licenses.add(DisjunctiveLicense(id=known) if known else DisjunctiveLicense(name=version.license))
    facts: dict[str, Any] = {
        name: getattr(version, name)
        for name in (
            *(
                "artifact_id",
                "title",
                "promotion_state",
                "superseded_by",
                "framework",
                "parameter_count",
                "version_tag",
            ),
            *("external_source_version", "code_commit_sha", "code_entrypoint", "training_started_at"),
            *("training_completed_at", "trained_by", "gpu_allocation_id", "benchmark_id", "origin_type"),
            *("metadata_schema_version",),
        )
    }
    if version.metadata_schema_version > 0:  # what a legacy row says of it nobody checked
        facts["is_external"] = version.is_external
    facts["training_params"] = version.latest_training_params or None
    if version.latest_metrics != version.declared_metrics:
        facts["declared_metrics"] = version.declared_metrics
    addresses = (
        (
            "external_source_url",
            version.external_source_url,
            "DISTRIBUTION",
            _worded("version", version.external_source_version),
        ),
        ("code_repo_url", version.code_repo_url, "VCS", _worded("commit", version.code_commit_sha)),
        ("origin_url", version.origin_url, "OTHER", "origin"),
    )
    for name, url, kind, comment in addresses:
        reference = _reference(url, kind, comment)
        if reference is not None:
            component.external_references.add(reference)
        else:
            facts[name] = url
    for name, value in facts.items():
        if value is not None:
            component.properties.add(Property(name=f"atlas:{name}", value=_text(value)))
    return component


def _worded(word: str, value: str | None) -> str | None:
    return None if value is None else f"{word} {value}"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return json.dumps(value, sort_keys=True)


def _reference(url: str | None, kind: str, comment: str | None) -> ExternalReference | None:
    """Makes a reference of an address; None when it is none by the rules of the schema, or of a kind that may act."""
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri

    if url is None or len(url) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(url):
        return None
    return ExternalReference(type=ExternalReferenceType[kind], url=XsUri(url), comment=comment)


def _datasets(version: ModelVersion, evaluated_on: LineageStep | None) -> Iterator[tuple[str, Component]]:
    """Gives what the version names as its data, each once; a declared text that is an artifact's id means it."""
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    uses: dict[str, list[str]] = defaultdict(list)
    for use, names in (("training", version.training_data), ("evaluation", version.evaluation_dataset)):
        for name in _texts(names):
            uses[name].append(f"declared for {use}")
    if evaluated_on is not None:
        uses[evaluated_on.id].append("measured on")
    for name, found in uses.items():
        is_registered = evaluated_on is not None and name == evaluated_on.id
        component = Component(
            type=ComponentType.DATA,
            bom_ref=f"{'artifact' if is_registered else 'dataset'}:{name}",
            name=(evaluated_on.title or name) if evaluated_on is not None and is_registered else name,
        )
        if is_registered:
            component.properties.add(Property(name="atlas:artifact_id", value=name))
        for use in found:
            component.properties.add(Property(name="atlas:use", value=use))
        yield name, component


def _texts(value: Any) -> Iterable[str]:
    texts = value if isinstance(value, list) else [value]
    return dict.fromkeys(text for text in texts if isinstance(text, str) and text.strip())


def _model_card(version: ModelVersion, dataset_refs: Sequence[str | None]) -> dict[str, Any]:
    """Writes CycloneDX's own model card, as far as the registry knows what it asks for."""
    parameters: dict[str, Any] = {}
    if version.task:
        parameters["task"] = version.task
    if version.model_family:
        parameters["architectureFamily"] = version.model_family
    if dataset_refs:
        parameters["datasets"] = [{"ref": reference} for reference in sorted(map(str, dataset_refs))]
    card: dict[str, Any] = {}
    if parameters:
        card["modelParameters"] = parameters
    metrics = version.latest_metrics or version.declared_metrics
    numbers = {
        name: value
        for name, value in (metrics.items() if isinstance(metrics, Mapping) else ())
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    if numbers:
        card["quantitativeAnalysis"] = {
            "performanceMetrics": [{"type": name, "value": _text(numbers[name])} for name in sorted(numbers)]
        }
    return card
