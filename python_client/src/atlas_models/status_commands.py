"""The commands ``atlas status``, what the registry holds, and ``atlas doctor``, whether all that it needs is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import click
import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from atlas_models import backfill_run, migration_runner, offline_validation
from atlas_models.catalog import Difference
from atlas_models.command_line import (
    database_url,
    exit_codes,
    find_target,
    json_option,
    one_line_errors,
    schema_option,
    url_option,
)
from atlas_models.connections import connect, describe
from atlas_models.errors import AtlasError, database_errors
from atlas_models.migration_errors import MigrationError, PreflightError
from atlas_models.output import Column, show_json, show_rows
from atlas_models.preflight import MINIMUM_SERVER_VERSION
from atlas_models.registry import Registry
from atlas_models.terminal import is_terminal, printable

Connection = psycopg.Connection[TupleRow]

_STATES = ("promoted", "candidate", "superseded", "rejected")

_STATUS_EPILOG = """\b
Examples:
  atlas status
  atlas status --json | jq .versions.external.promoted
  atlas status --url postgresql://reader@db.example.org/atlas

""" + exit_codes("shown", "failed")

_DOCTOR_EPILOG = """\b
Examples:
  atlas doctor
  atlas doctor --url postgresql://postgres@db.example.org/atlas
  atlas doctor --verify
  atlas doctor --json | jq -r '.checks[] | select(.result != "ok") | .remedy'

""" + exit_codes("nothing is in the way; a warning is no failure", "a check failed")


@click.command(epilog=_STATUS_EPILOG, short_help="What the registry holds, and what waits.")
@url_option
@schema_option
@json_option
@one_line_errors
def status(url: str | None, schema: str, as_json: bool) -> None:
    """Shows what the registry holds: models, versions by state and origin, and what waits for a person."""
    target = database_url(url)
    with connect(target, application_name="atlas status") as connection, database_errors():
        counted = _count_versions(connection, schema)
        names = _number(connection, schema, "select count(distinct name) from {}", "models")
        others = _number(connection, schema, "select count(*) from {}", "other_artifacts")
        waiting = backfill_run.waiting(connection, schema)
        schema_version = Registry(connection, schema=schema).metadata_schema_version()
    found = {
        "database": describe(target),
        "schema": schema,
        "metadata_schema_version": schema_version,
        "models": names,
        "versions": counted,
        "other_artifacts": others,
        "waiting": waiting.models,
        "sealed": waiting.is_sealed,
    }
    if as_json:
        show_json(found)
        return
    click.echo(f"{found['database']}, schema {schema}")
    click.echo(f"{names:,} model{'' if names == 1 else 's'}, {others:,} other artifact{'' if others == 1 else 's'}")
    columns = (Column("versions"), Column("internal", right=True), Column("external", right=True))
    show_rows(
        columns,
        [(state, *(f"{counted[origin][state]:,}" for origin in ("internal", "external"))) for state in _STATES],
    )
    if waiting.models:
        click.echo(f"{waiting.models:,} legacy models wait for a person: atlas review")
    if not waiting.is_sealed:
        click.echo("not sealed: rows without validated metadata may stand in it (atlas seal ends that)")


def _count_versions(connection: Connection, schema: str) -> dict[str, dict[str, int]]:
    query = sql.SQL("select is_external, promotion_state, count(*) from {} group by is_external, promotion_state")
    counted = {origin: dict.fromkeys(_STATES, 0) for origin in ("internal", "external")}
    for is_external, state, count in connection.execute(query.format(sql.Identifier(schema, "models"))):
        counted["external" if is_external else "internal"][state] = count
    return counted


def _number(connection: Connection, schema: str, query: str, relation: str) -> int:
    row = connection.execute(sql.SQL(query).format(sql.Identifier(schema, relation))).fetchone()
    assert row is not None
    return int(row[0])


# --- doctor -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Args:
        name: What.
        result: ``ok``; ``warning``: works, but somebody should know; ``failed``: does not work.
        found: What was found, in one line.
        remedy: What to do; empty when there is nothing.
    """

    name: str
    result: Literal["ok", "warning", "failed"]
    found: str
    remedy: str = ""


@click.command(epilog=_DOCTOR_EPILOG, short_help="Which database, and whether all is in order.")
@url_option
@schema_option
@click.option(
    "--verify",
    is_flag=True,
    help="Compare tables, functions, triggers, grants … with what this version makes; needs a superuser.",
)
@json_option
@one_line_errors
def doctor(url: str | None, schema: str, verify: bool, as_json: bool) -> None:
    """Says which database the commands work on and why, and checks all that the registry needs there.

    The server and its version, PL/Python and the validation engine, whether the code is deployed and current, what the
    connected role may do, whether the registry is sealed, and what waits for a person. With --verify also whether
    anything was altered since it was deployed. It changes nothing.
    """
    differences: list[Difference] = []
    checks = list(_examine(url, schema, differences if verify else None))
    failed = any(check.result == "failed" for check in checks)
    if as_json:
        compared = {"differences": [asdict(difference) for difference in differences]} if verify else {}
        show_json({"ok": not failed, "checks": [asdict(check) for check in checks]} | compared)
    else:
        for check in checks:
            _show(check)
    sys.exit(1 if failed else 0)


_SIGNS = {"ok": ("ok", "green"), "warning": ("note", "magenta"), "failed": ("FAILED", "bold red")}


def _show(check: Check) -> None:
    sign, style = _SIGNS[check.result]
    if is_terminal(sys.stdout):
        click.echo(click.style(f"{sign:<7}", fg=style.split()[-1], bold=style.startswith("bold")), nl=False)
    else:
        click.echo(f"{sign:<7}", nl=False)
    click.echo(printable(f"{check.name}: {check.found}"))
    if check.remedy:
        click.echo(f"{'':<7}  do: {printable(check.remedy)}")


def _examine(url: str | None, schema: str, differences: list[Difference] | None) -> Iterator[Check]:
    try:
        target = find_target(url)
    except MigrationError as error:
        yield Check("database", "failed", f"none is named, and {error.message}", error.hint)
        return
    try:
        connection = connect(target.url, application_name="atlas doctor")
    except MigrationError as error:
        yield Check("database", "failed", f"{error.message}; named by {target.source}", error.hint)
        return
    with connection:
        yield Check("database", "ok", f"{describe(target.url)}, named by {target.source}")
        yield _server(connection)
        yield _python(connection)
        is_deployed = yield from _deployment(target.url, schema)
        if is_deployed:
            for look in (_engine, _functions, _role, _legacy):
                yield _guarded(look, connection, schema)
            if differences is not None:
                yield from _verification(target.url, schema, differences)


def _verification(url: str, schema: str, differences: list[Difference]) -> Iterator[Check]:
    """Compares the catalog with that of a fresh deploy; what differs is added to the list as well."""
    try:
        differences += migration_runner.verify(url, schema=schema)
    except PreflightError as error:
        yield from (Check("catalog", "failed", f"cannot be compared: {problem}", do) for problem, do in error.findings)
        return
    except MigrationError as error:
        yield Check("catalog", "failed", f"cannot be compared: {error.message}", error.hint)
        return
    for number, difference in enumerate(differences, start=1):
        remedy = "find out who changed it, and why: docs/cli.md#verify" if number == len(differences) else ""
        yield Check("catalog", "failed", str(difference), remedy)
    if not differences:
        yield Check("catalog", "ok", f"all that stands in {schema} is as this version makes it")


def _guarded(look: Callable[[Connection, str], Check], connection: Connection, schema: str) -> Check:
    try:
        return look(connection, schema)
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error).partition("\n")[0]
        return Check(look.__name__.strip("_"), "failed", message, error.diag.message_hint or "")


def _server(connection: Connection) -> Check:
    version = connection.info.server_version
    found = f"PostgreSQL {version // 10000}.{version % 10000}"
    if version < MINIMUM_SERVER_VERSION:
        return Check("server", "failed", f"{found}; 15 or newer is needed", "use a newer server")
    return Check("server", "ok", found)


def _python(connection: Connection) -> Check:
    row = connection.execute(
        "select (select e.extversion from pg_extension as e where e.extname = 'plpython3u'),"
        " exists (select from pg_available_extensions as e where e.name = 'plpython3u')"
    ).fetchone()
    assert row is not None
    if row[0] is not None:
        return Check("PL/Python", "ok", f"plpython3u {row[0]}")
    if row[1]:
        return Check("PL/Python", "ok", "can be installed; a deploy does it")
    major = connection.info.server_version // 10000
    return Check(
        "PL/Python", "failed", "the server has none", f"on the server: apt-get install postgresql-plpython3-{major}"
    )


def _deployment(url: str, schema: str) -> Generator[Check, None, bool]:
    try:
        found = migration_runner.status(url, schema=schema)
    except MigrationError as error:
        if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
            yield Check("schema", "ok", f"{schema} is deployed; whether it is current, a superuser can tell")
            return True
        yield Check("schema", "failed", error.message, error.hint)
        return False
    if not found.applied:
        yield Check(
            "schema", "failed", f"nothing is deployed in the schema {schema}", "atlas migrate URL, as a superuser"
        )
        return False
    if not found.up_to_date:
        pending = [*found.pending, *([] if found.code_is_current else ["the code of sql/"])]
        pending += [f"the validation of {constraint.constraint}" for constraint in found.unvalidated]
        yield Check(
            "schema", "warning", f"{schema} is behind this client; pending: {', '.join(pending)}", "atlas migrate"
        )
    else:
        yield Check("schema", "ok", f"{schema} is deployed and current: {len(found.applied)} migrations, and the code")
    return True


def _engine(connection: Connection, schema: str) -> Check:
    registry = Registry(connection, schema=schema)
    try:
        version = registry.metadata_schema_version()
        problems = registry.metadata_errors({})
    except AtlasError as error:
        remedy = error.hint or "as a superuser: atlas migrate URL --dry-run, which says what the server's Python lacks"
        return Check("validation", "failed", error.message, remedy)
    ours = offline_validation.metadata_schema_version()
    if not problems:
        return Check("validation", "failed", "the server accepts metadata that say nothing", "atlas migrate")
    if version != ours:
        found = f"works, with metadata schema {version}; this client brings {ours}: atlas validate may say otherwise"
        return Check("validation", "warning", found, "use the client of the server's version")
    return Check("validation", "ok", f"the server's Python validates, with metadata schema {version}")


def _functions(connection: Connection, schema: str) -> Check:
    query = """
        select p.proname, pg_get_userbyid(p.proowner)
        from pg_proc as p
        where p.pronamespace = to_regnamespace(%s) and p.prosecdef and pg_get_userbyid(p.proowner) <> 'atlas_owner'
        order by p.proname
    """
    others = connection.execute(query, [sql.Identifier(schema).as_string(connection)]).fetchall()
    if others:
        (name, owner), more = others[0], len(others) - 1
        run = f" and {more} more run" if more else " runs"
        remedy = "restore it with its roles and owners, never with --no-owner: docs/howto/backup.md"
        return Check("functions", "failed", f"{name}(){run} with the rights of {owner}, not of atlas_owner", remedy)
    return Check("functions", "ok", "each that runs as its owner runs as atlas_owner")


_RIGHTS = {
    "atlas_registrar": "register",
    "atlas_reviewer": "promote, reject and backfill",
    "atlas_steward": "set gates and policies",
    "atlas_reader": "read",
}


def _role(connection: Connection, _schema: str) -> Check:
    row = connection.execute("select session_user, rolsuper from pg_roles where rolname = session_user").fetchone()
    assert row is not None
    user, is_superuser = row
    if is_superuser:
        return Check("role", "ok", f"{user} is a superuser and may do everything; applications need less")
    held = connection.execute(
        "select rolname from pg_roles where rolname = any(%s) and pg_has_role(session_user, oid, 'usage')",
        [list(_RIGHTS)],
    ).fetchall()
    may = [right for role, right in _RIGHTS.items() if (role,) in held]
    if not may:
        remedy = f'as a superuser: grant atlas_reader to "{user}" (or atlas_registrar, atlas_reviewer)'
        return Check("role", "failed", f"{user} has no rights in the registry", remedy)
    return Check("role", "ok", f"{user} may {', '.join(may)}")


def _legacy(connection: Connection, schema: str) -> Check:
    waiting = backfill_run.waiting(connection, schema)
    if waiting.models:
        found = f"{waiting.models:,} models wait for a person"
        return Check("legacy rows", "warning", found, "atlas review")
    if waiting.is_sealed:
        return Check("legacy rows", "ok", "none, and none can come in: the registry is sealed")
    return Check("legacy rows", "warning", "none waits, but it is not sealed", "atlas backfill, then atlas seal")
