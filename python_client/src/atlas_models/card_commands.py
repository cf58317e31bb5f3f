"""The commands ``atlas card`` and ``atlas bom``: a model version written down for others, people and programs."""

from __future__ import annotations

import json

import click

from atlas_models.command_line import (
    database_url,
    exit_codes,
    json_option,
    one_line_errors,
    say,
    schema_option,
    url_option,
)
from atlas_models.completion import complete_models
from atlas_models.connections import connect
from atlas_models.output import write_file
from atlas_models.references import find_artifact, find_version
from atlas_models.registry import Registry

_CARD_EPILOG = """\b
Examples:
  atlas card credit-risk              # its latest version
  atlas card credit-risk@2 --output README.md

""" + exit_codes("written", "there is no such version, several are meant, or the command failed")

_BOM_EPILOG = """\b
Examples:
  atlas bom credit-risk               # its latest version
  atlas bom credit-risk@2 --output credit-risk-2.cdx.json
  atlas bom credit-risk | jq -r '.components[].name'

""" + exit_codes("written", "there is no such version, several are meant, or the command failed")

output_option = click.option("--output", metavar="FILE", help="Write into FILE, whole or not at all.")


@click.command(epilog=_CARD_EPILOG, short_help="A version's model card, as Markdown.")
@click.argument("model", shell_complete=complete_models)
@url_option
@schema_option
@output_option
@json_option
@one_line_errors
def card(model: str, url: str | None, schema: str, output: str | None, as_json: bool) -> None:
    """Writes the model card of a version: what the registry knows of it, and what it does not.

    It is Markdown with the front matter of a Hugging Face model card. MODEL is a name (its latest version), NAME@N, an
    artifact id, or the beginning of one.
    """
    with connect(database_url(url), application_name="atlas card") as connection:
        registry = Registry(connection, schema=schema)
        artifact_id = find_artifact(registry, model)
        text = registry.model_card(artifact_id)
    if as_json:
        text = json.dumps({"artifact_id": artifact_id, "markdown": text}, ensure_ascii=False, indent=2) + "\n"
    _write(text, output)


@click.command(epilog=_BOM_EPILOG, short_help="A version's bill of materials, as CycloneDX.")
@click.argument("model", shell_complete=complete_models)
@url_option
@schema_option
@output_option
@click.option("--json", is_flag=True, expose_value=False, help="The same: a bill is one JSON object.")
@one_line_errors
def bom(model: str, url: str | None, schema: str, output: str | None) -> None:
    """Writes the bill of materials of a version: CycloneDX 1.6 JSON with its base models, parent and datasets.

    It is valid against the official schema. MODEL is a name (its latest version), NAME@N, an artifact id, or the
    beginning of one. Needs the extra bom: pip install 'atlas-models[bom]'.
    """
    with connect(database_url(url), application_name="atlas bom") as connection:
        registry = Registry(connection, schema=schema)
        text = registry.bill_of_materials(find_version(registry, model).artifact_id)
    _write(text, output)


def _write(text: str, output: str | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    write_file(output, text)
    say(f"{output}: {len(text.encode()):,} bytes")
