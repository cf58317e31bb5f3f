"""`make reference`: the pages below docs/reference/ that are written from what they describe.

sql.md comes from the comments of a fresh deploy, on a server of its own; metadata.md from the current schema.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from atlas_models import migration_runner, server_engine
from atlas_models.server_programs import find_or_install
from conftest import SCHEMA, Server

ROOT = Path(__file__).parents[1]
SQL_PAGE = ROOT / "docs" / "reference" / "sql.md"
METADATA_PAGE = ROOT / "docs" / "reference" / "metadata.md"

_SQL_OPENING = """\
# SQL reference

What a deploy makes, as the database itself describes it: `\\df+ register_model` and `\\d+ models` in psql show the
same. Written by `make reference`; a test compares this page with a fresh deploy. A function belongs to the role it is
granted to; who may register, decide or set rules may also read.
"""
_METADATA_OPENING = """\
# {title}

{description}

Written by `make reference` from [the schema](../../schemas/model_artifact_metadata.json). Why each field is asked for,
and how the schema changes: [schema_governance.md](../schema_governance.md).

| field | internal model | external model | |
|---|---|---|---|
{rows}

Any document has at most 1 MiB of text and 100 levels, and numbers that are 64-bit integers or finite doubles.
`select * from metadata_errors('…')` lists what is wrong with one, `atlas validate FILE` does so without a database.
"""
_ROLES = {
    "atlas_registrar": "Register and record",
    "atlas_reviewer": "Decide",
    "atlas_steward": "Set rules",
    "atlas_reader": "Read",
    "public": "Check, for everybody",
}
_FUNCTIONS = """
    select
        p.proname,
        p.prokind = 'p',
        array(
            select concat_ws(
                ' ',
                p.proargnames[a.place],
                format_type(a.type, null),
                'default ' || pg_get_function_arg_default(p.oid, a.place::integer)
            )
            from unnest(p.proargtypes) with ordinality as a (type, place)
            order by a.place
        ),
        pg_get_function_result(p.oid),
        obj_description(p.oid, 'pg_proc'),
        array(
            select case g.grantee when 0 then 'public' else g.grantee::regrole::text end
            from aclexplode(p.proacl) as g
            where g.grantee <> p.proowner
        )
    from pg_proc as p
    where p.pronamespace = %s::regnamespace
    order by p.proname, pg_get_function_identity_arguments(p.oid)
"""
_RELATIONS = """
    select
        c.relname,
        c.relkind::text,
        obj_description(c.oid, 'pg_class'),
        array(
            select array[
                a.attname, format_type(a.atttypid, a.atttypmod), coalesce(col_description(c.oid, a.attnum), '')
            ]
            from pg_attribute as a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            order by a.attnum
        )
    from pg_class as c
    where c.relnamespace = %s::regnamespace and c.relkind in ('v', 'r')
    order by c.relname
"""


def sql_page(conn: psycopg.Connection) -> str:
    """The page, from a database that was deployed into and has the schema on its search_path."""
    functions = conn.execute(_FUNCTIONS, [SCHEMA]).fetchall()
    relations = conn.execute(_RELATIONS, [SCHEMA]).fetchall()
    parts = [_SQL_OPENING]
    for role, title in _ROLES.items():
        parts.append(f"## {title}\n")
        parts.append("Executable by everybody.\n" if role == "public" else f"Granted to `{role}`.\n")
        for name, is_procedure, arguments, result, comment, grantees in functions:
            if role in grantees and not name.startswith("_"):
                parts.append(_function(name, is_procedure, arguments, result, comment))
    parts.append("## Views\n\n`atlas_reader` may read those without a leading underscore.\n")
    parts.extend(_relation(*found) for found in relations if found[1] == "v")
    parts.append(
        "## Tables\n\nWritten by the functions; `atlas_owner` and superusers read them, and can write some by hand.\n"
    )
    parts.extend(_relation(*found) for found in relations if found[1] == "r")
    parts.append("## Inside\n\nTrigger functions, and what several functions share: not for clients.\n")
    parts.append("| function | what it does |\n|---|---|")
    granted = set(_ROLES)
    for name, _, _, _, comment, grantees in functions:
        if name.startswith("_") or not granted & set(grantees):
            parts.append(f"| `{name}` | {_cell(comment)} |")
    return "\n".join(parts) + "\n"


def metadata_page() -> str:
    """The page about the fields of a model's metadata, from the current schema."""
    schema = json.loads((ROOT / "schemas" / "model_artifact_metadata.json").read_text(encoding="utf-8"))
    variants = {variant["title"]: variant for variant in schema["oneOf"]}
    internal, external = variants["Internal model"], variants["External model"]
    rows = []
    for field in dict.fromkeys([*internal["properties"], *external["properties"]]):
        shape = internal["properties"].get(field) or external["properties"][field]
        if field == "is_external":
            shape = {"description": "Which variant it is: false for a model trained here.", "type": "boolean"}
        asked = [
            "required" if field in variant["required"] else "optional" if field in variant["properties"] else "absent"
            for variant in (internal, external)
        ]
        rows.append(f"| `{field}` | {asked[0]} | {asked[1]} | {_shape(shape, schema['definitions'])} |")
    return _METADATA_OPENING.format(title=schema["title"], description=schema["description"], rows="\n".join(rows))


def _shape(shape: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What a field holds, in words: its description and its bounds."""
    if "$ref" in shape:
        shape = definitions[shape["$ref"].rpartition("/")[2]] | {k: v for k, v in shape.items() if k != "$ref"}
    bounds = [shape["type"]] if "type" in shape else ["string or array of strings"]
    bounds += [f"at most {shape['maxLength']} characters"] if "maxLength" in shape else []
    bounds += [f"from {shape['minimum']} to {shape['maximum']}"] if "minimum" in shape else []
    return _cell(f"{shape.get('description', '')} ({', '.join(bounds)})".strip())


def _function(name: str, is_procedure: bool, arguments: list[str], result: str | None, comment: str) -> str:
    opening = f"call {name}(" if is_procedure else f"{name}("
    arguments = [_short(argument) for argument in arguments]
    inside = ", ".join(arguments)
    if len(inside) > 80:
        inside = "\n    " + ",\n    ".join(arguments) + "\n"
    returned = "" if is_procedure else f" → {_short(result or '')}"
    return f"### {name}\n\n```text\n{opening}{inside}){returned}\n```\n\n{_prose(comment)}\n"


def _relation(name: str, _kind: str, comment: str, columns: list[list[str]]) -> str:
    rows = "\n".join(f"| `{column}` | {_short(type_)} | {_cell(text)} |" for column, type_, text in columns)
    return f"### {_prose(name)}\n\n{_prose(comment)}\n\n| column | type | |\n|---|---|---|\n{rows}\n"


def _short(text: str) -> str:
    """PostgreSQL's words for a type and a default, as one writes them."""
    return re.sub(r"NULL::[a-z ]+", "null", text).replace("timestamp with time zone", "timestamptz")


def _prose(comment: str) -> str:
    """A comment as Markdown that shows it as it is."""
    return re.sub(r"[\\<>*`\[\]]|(?<!\w)_", r"\\\g<0>", comment)


def _cell(comment: str) -> str:
    return " ".join(_prose(comment).replace("|", "\\|").split())


def main() -> None:
    """Deploy into a throwaway server, write the pages."""
    programs = find_or_install(print)
    engine = Path(tempfile.mkdtemp(prefix="atlas-reference-engine-"))
    try:
        server_engine.install(engine)
        with Server(programs, engine) as server:
            url = server.url(database="postgres")
            migration_runner.migrate(url, schema=SCHEMA)
            with psycopg.connect(url, autocommit=True, options=f"-c search_path={SCHEMA}") as conn:
                SQL_PAGE.write_text(sql_page(conn), encoding="utf-8")
    finally:
        shutil.rmtree(engine, ignore_errors=True)
    METADATA_PAGE.write_text(metadata_page(), encoding="utf-8")
    print(f"written: {SQL_PAGE.name}, {METADATA_PAGE.name}")


if __name__ == "__main__":
    main()
