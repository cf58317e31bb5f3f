"""Asks a server, before anything is changed, whether it can carry the registry; names all that is missing at once.

What must be tried to be known (does the server's Python import the validation engine?) is tried in a transaction
that is rolled back.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from atlas_models import adoption, server_engine
from atlas_models.migration_errors import MigrationError, PreflightError

MINIMUM_SERVER_VERSION = 150000
_MINIMUM_PYTHON = (3, 10)
_LEDGER = "atlas_migrations"
_ELSEWHERE = "choose another schema for Atlas: ATLAS_SCHEMA=… or --schema …"
_A_SCHEMA_OF_ITS_OWN = "or move the table: create schema atlas; alter table … set schema atlas"
# Every relation that a deploy makes, but for the ledger's; a test compares this with a fresh database.
OUR_NAMES = (
    "_searchable_models",
    "artifacts",
    "artifacts_id_name_key",
    "artifacts_name_version_key",
    "artifacts_one_latest",
    "artifacts_original",
    "artifacts_original_pkey",
    "artifacts_pkey",
    "backfill_log",
    "backfill_log_pkey",
    "backfill_log_position_seq",
    "backfill_reviews",
    "backfill_rules",
    "backfill_rules_pkey",
    "evaluations",
    "gates",
    "idx_artifacts_other_id",
    "idx_artifacts_parent",
    "idx_artifacts_superseded_by",
    "idx_backfill_log_chain",
    "idx_backfill_log_planned",
    "idx_backfill_log_queued",
    "idx_backfill_log_title",
    "idx_model_evaluations_eval_dataset",
    "idx_model_evaluations_latest",
    "idx_model_events_name",
    "idx_model_search_document",
    "idx_model_search_family",
    "idx_model_search_registered",
    "idx_model_search_trained",
    "idx_model_versions_base",
    "idx_model_versions_eval_dataset",
    "idx_model_versions_promotion",
    "idx_model_versions_trained_by",
    "model_evaluations",
    "model_evaluations_evaluation_id_seq",
    "model_evaluations_once",
    "model_evaluations_pkey",
    "model_events",
    "model_events_event_id_seq",
    "model_events_pkey",
    "model_metrics",
    "model_metrics_pkey",
    "model_registration",
    "model_search",
    "model_search_artifact_key",
    "model_search_pkey",
    "model_search_place_seq",
    "model_versions",
    "model_versions_idempotency_key_once",
    "model_versions_one_promoted",
    "model_versions_pkey",
    "models",
    "other_artifacts",
    "policies",
    "promotion_gates",
    "promotion_gates_gate_id_seq",
    "promotion_gates_once",
    "promotion_gates_pkey",
    "promotion_policies",
    "promotion_policies_once",
    "promotion_policies_pkey",
    "promotion_policies_policy_id_seq",
    "registered_models",
    "registered_models_pkey",
    "unlinked_models",
)

# Runs inside the server's Python, which may be too old for this package: nothing newer than Python 3.6 in here.
_PROBE = """
create function pg_temp.atlas_probe() returns text language plpython3u as $python$
import json, sys
found = {"python": list(sys.version_info[:2]), "path": sys.path, "engine": None, "problem": None}
try:
    import jsonschema_rs
    try:
        from importlib import metadata
        found["engine"] = metadata.version("jsonschema-rs")
    except Exception:
        found["engine"] = getattr(jsonschema_rs, "__version__", "0")
except Exception as error:
    found["problem"] = "%s: %s" % (type(error).__name__, error)
return json.dumps(found)
$python$
"""


@dataclass(frozen=True)
class _Finding:
    problem: str
    remedy: str


@dataclass(frozen=True)
class _Server:
    version: int
    is_superuser: bool
    user: str
    in_recovery: bool
    read_only: bool
    encoding: str
    has_plpython: bool

    @property
    def major(self) -> int:
        return self.version // 10000

    @property
    def can_try_plpython(self) -> bool:
        return self.is_superuser and self.has_plpython and not self.in_recovery and not self.read_only


def check_schema_name(schema: str) -> None:
    """Refuses a schema name that PostgreSQL keeps for itself or would cut short.

    Args:
        schema: The target schema.

    Raises:
        MigrationError: The name is empty, too long, or reserved.
    """
    reserved = schema.startswith("pg_") or schema == "information_schema"
    if not schema or "\0" in schema or len(schema.encode()) > 63 or reserved:
        raise MigrationError(
            f"the schema name {schema!r} cannot be used",
            hint="1 to 63 bytes, not starting with pg_, not information_schema; the usual one is 'atlas'",
        )


def check_server(conn: psycopg.Connection[TupleRow], schema: str, *, schema_is_chosen: bool = True) -> None:
    """Checks everything that a deploy needs.

    Args:
        conn: An idle connection in autocommit mode.
        schema: The target schema.
        schema_is_chosen: False when nobody named the schema: a catalogue that stands in another one is then not
            passed over in silence.

    Raises:
        PreflightError: Something is missing; all of it is listed. Nothing has been changed.
    """
    findings = _all_server_findings(conn)
    if not _is_begun(conn, schema):
        findings += _foreign_relation_findings(conn, schema)
    findings += _writable_schema_findings(conn, schema)
    findings += _planted_code_findings(conn, schema)
    if not schema_is_chosen:
        findings += _other_catalogue_findings(conn, schema)
    _refuse(findings)


def check_server_alone(conn: psycopg.Connection[TupleRow]) -> None:
    """Checks what a deploy needs of the server and the user, whatever stands in the schema.

    Args:
        conn: An idle connection in autocommit mode.

    Raises:
        PreflightError: Something is missing; all of it is listed. Nothing has been changed.
    """
    _refuse(_all_server_findings(conn))


def _refuse(findings: list[_Finding]) -> None:
    if findings:
        raise PreflightError([(finding.problem, finding.remedy) for finding in findings])


def _all_server_findings(conn: psycopg.Connection[TupleRow]) -> list[_Finding]:
    server = _ask(conn)
    findings = _server_findings(server)
    return findings + _engine_findings(conn) if server.can_try_plpython else findings


def _ask(conn: psycopg.Connection[TupleRow]) -> _Server:
    row = conn.execute(
        """
        select
            r.rolsuper,
            r.rolname,
            pg_is_in_recovery(),
            current_setting('transaction_read_only')::boolean,
            current_setting('server_encoding'),
            exists (select from pg_available_extensions as e where e.name = 'plpython3u')
        from pg_roles as r
        where r.rolname = current_user
        """
    ).fetchone()
    assert row is not None
    return _Server(conn.info.server_version, *row)


def _server_findings(server: _Server) -> list[_Finding]:
    findings = []
    if server.version < MINIMUM_SERVER_VERSION:
        findings.append(
            _Finding(f"the server is PostgreSQL {server.major}, 15 or newer is needed", "use a newer server")
        )
    if server.in_recovery:
        findings.append(_Finding("the server is a standby, which cannot be written", "give the URL of the primary"))
    elif server.read_only:
        findings.append(
            _Finding("transactions are read-only here", "alter database … reset default_transaction_read_only")
        )
    if not server.is_superuser:
        findings.append(
            _Finding(
                f"the user {server.user!r} is no superuser, and PL/Python functions can be made by superusers only",
                "connect as a superuser such as postgres; applications need no more than the atlas_ roles afterwards",
            )
        )
    if server.encoding != "UTF8":
        findings.append(
            _Finding(
                f"the database's encoding is {server.encoding}, UTF8 is needed",
                "make another one: createdb --encoding=UTF8 --locale=C.UTF-8 --template=template0 name",
            )
        )
    if not server.has_plpython:
        findings.append(
            _Finding(
                "the server has no PL/Python",
                f"on the server: apt-get install postgresql-plpython3-{server.major} "
                f"(Red Hat: postgresql{server.major}-plpython3)",
            )
        )
    return findings


def _engine_findings(conn: psycopg.Connection[TupleRow]) -> list[_Finding]:
    try:
        with conn.transaction(force_rollback=True):
            conn.execute("set local search_path = pg_catalog, pg_temp; set local lock_timeout = '10s'")
            conn.execute("create extension if not exists plpython3u")
            conn.execute(_PROBE)
            row = conn.execute("select pg_temp.atlas_probe(), current_setting('config_file')").fetchone()
    except psycopg.Error as error:
        reason = error.diag.message_primary or str(error).partition("\n")[0]
        return [_Finding(f"PL/Python does not work on this server: {reason}", "see the server's log")]
    assert row is not None
    return _judge_engine(json.loads(row[0]) | {"config_file": row[1]})


def _judge_engine(found: dict[str, object]) -> list[_Finding]:
    python = found["python"]
    assert isinstance(python, list)
    if tuple(python) < _MINIMUM_PYTHON:
        return [
            _Finding(
                f"the server's Python is {python[0]}.{python[1]}, 3.10 or newer is needed",
                "use a server whose PL/Python was built for a newer Python",
            )
        ]
    if found["engine"] is None:
        problem = f"the server's Python cannot import {server_engine.MODULE} ({found['problem']})"
    elif not server_engine.is_supported(str(found["engine"])):
        problem = f"the server's Python has {server_engine.DISTRIBUTION} {found['engine']}"
        problem += f", {server_engine.REQUIREMENT.removeprefix(server_engine.DISTRIBUTION)} is needed"
    else:
        return []
    path = found["path"]
    assert isinstance(path, list)
    return [_Finding(problem, _engine_remedy([str(folder) for folder in path], str(found["config_file"])))]


def _engine_remedy(server_path: list[str], config_file: str) -> str:
    packages = [folder for folder in server_path if folder.endswith(("dist-packages", "site-packages"))]
    local = [folder for folder in packages if folder.startswith("/usr/local/")] or packages
    requirement = f"{server_engine.DISTRIBUTION}=={metadata.version(server_engine.DISTRIBUTION)}"
    # Debian keeps a cluster's environment beside its configuration.
    debian = config_file.startswith("/etc/postgresql/")
    where = f"in {Path(config_file).parent / 'environment'}" if debian else "in the environment that starts the server"
    alternative = (
        f"python3 -m pip install --target /opt/atlas-engine '{requirement}', then "
        f"PYTHONPATH = '/opt/atlas-engine' {where} and a restart of the server"
    )
    if not local:
        return f"on the server: {alternative}"
    return (
        f"on the server: python3 -m pip install --target {local[0]} '{requirement}'"
        f" (new connections find it at once); or, to leave that folder alone: {alternative}"
    )


def _is_begun(conn: psycopg.Connection[TupleRow], schema: str) -> bool:
    """Says whether a deploy made what stands in the schema; an empty ledger is left when all is taken back."""
    try:
        found = conn.execute("select to_regclass(format('%%I.%%I', %s::text, %s::text))", [schema, _LEDGER]).fetchone()
        if found == (None,):
            return False
        query = sql.SQL("select exists (select from {})").format(sql.Identifier(schema, _LEDGER))
        return conn.execute(query).fetchone() == (True,)
    except psycopg.errors.InsufficientPrivilege:
        return True  # a user who is no superuser is told that, and needs to know nothing more


def _foreign_relation_findings(conn: psycopg.Connection[TupleRow], schema: str) -> list[_Finding]:
    rows = conn.execute(
        """
        select c.relname, c.relkind::text, t.relname, i.indisprimary, array_remove(array_agg(a.attname::text), null)
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        left join pg_index as i on i.indexrelid = c.oid
        left join pg_class as t on t.oid = i.indrelid
        left join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where n.nspname = %(schema)s and c.relname = any (%(names)s)
        group by c.relname, c.relkind, t.relname, i.indisprimary
        order by c.relname
        """,
        {"schema": schema, "names": list(OUR_NAMES)},
    ).fetchall()
    adoptable = adoption.stands_in(conn, schema)
    findings = {}
    for name, kind, _, _, columns in rows:
        if kind not in ("i", "I") and not (name == "artifacts" and adoptable):
            findings[name] = _foreign_table_finding(schema, name, set(columns))
    elsewhere = {name for name, finding in findings.items() if finding.remedy == _ELSEWHERE}
    for name, kind, table, is_primary, _ in rows:
        # The primary key of the table that is taken over keeps its name.
        kept = is_primary and (name, table) == ("artifacts_pkey", "artifacts")
        if kind in ("i", "I") and table not in elsewhere and not kept:
            place = sql.Identifier(schema, name).as_string(None)
            renamed = sql.Identifier(f"legacy_{name}").as_string(None)
            findings[name] = _Finding(
                f"the index {place} has a name that the registry uses", f"alter index {place} rename to {renamed}"
            )
    return list(findings.values())


def _foreign_table_finding(schema: str, table: str, columns: set[str]) -> _Finding:
    place = sql.Identifier(schema, table).as_string(None)
    if table == "registered_models" and {"creation_time", "last_updated_time"} & columns:
        return _Finding(f"{place} looks like MLflow's model registry", _ELSEWHERE)
    if table == "model_versions" and {"run_id", "current_stage"} & columns:
        return _Finding(f"{place} looks like MLflow's model registry", _ELSEWHERE)
    if table == "model_versions" and "artifact_id" in columns:
        return _Finding(
            f"{place} was made by the original SQLite-style DDL, not by these migrations",
            f"alter table {place} rename to legacy_model_versions -- or {_ELSEWHERE}",
        )
    if table == "artifacts":
        return _Finding(f"{place} is no table with the columns id and artifact_type, to be taken over", _ELSEWHERE)
    return _Finding(f"{place} is not ours: the schema has no record of migrations", _ELSEWHERE)


def _writable_schema_findings(conn: psycopg.Connection[TupleRow], schema: str) -> list[_Finding]:
    """Finds who could put a function into the schema that stands before the one that the registry means to call."""
    row = conn.execute(
        """
        select
            array_agg(r.rolname::text order by r.rolname),
            bool_or(exists (
                select from aclexplode(n.nspacl) as g where g.grantee = 0 and g.privilege_type = 'CREATE'
            )),
            bool_or(not o.rolsuper),
            (
                select array_agg(distinct quote_ident(x.rolname))
                from pg_namespace as s
                cross join lateral aclexplode(s.nspacl) as g
                join pg_roles as x on x.oid = g.grantee
                where s.oid = min(n.oid)
                    and g.privilege_type = 'CREATE'
                    and g.grantee <> s.nspowner
                    and not x.rolsuper
                    and x.rolname <> 'atlas_owner'
            ),
            quote_ident(session_user)
        from pg_namespace as n
        join pg_roles as o on o.oid = n.nspowner
        join pg_roles as r on has_schema_privilege(r.oid, n.oid, 'create')
        where n.nspname = %s and not r.rolsuper and r.rolname <> 'atlas_owner' and r.rolname !~ '^pg_'
        """,
        [schema],
    ).fetchone()
    assert row is not None
    roles, everybody, owner_is_plain, grantees, user = row
    if not roles:
        return []
    place = sql.Identifier(schema).as_string(None)
    shown = "everybody" if everybody else ", ".join(roles[:5]) + (" …" if len(roles) > 5 else "")
    statements = []
    if owner_is_plain:
        statements.append(f"alter schema {place} owner to {user}")
    if everybody:
        statements.append(f"revoke create on schema {place} from public")
    statements += [f"revoke create on schema {place} from {grantee}" for grantee in grantees or []]
    return [
        _Finding(
            f"{shown} may create objects in the schema {schema}, and functions that shadow the registry's",
            f"{'; '.join(statements)} -- {_A_SCHEMA_OF_ITS_OWN}",
        )
    ]


def _planted_code_findings(conn: psycopg.Connection[TupleRow], schema: str) -> list[_Finding]:
    """Finds functions and operators that could be called in place of those that the registry means."""
    rows = conn.execute(
        """
        select f.kind, f.name, quote_ident(session_user)
        from (
            select p.pronamespace, p.proowner, 'routine' as kind, p.oid::regprocedure::text as name from pg_proc as p
            union all
            select o.oprnamespace, o.oprowner, 'operator', o.oid::regoperator::text from pg_operator as o
        ) as f (namespace, owner, kind, name)
        join pg_namespace as n on n.oid = f.namespace
        join pg_roles as r on r.oid = f.owner
        where n.nspname = %s and not r.rolsuper and r.rolname <> 'atlas_owner'
        order by f.kind, f.name
        """,
        [schema],
    ).fetchall()
    return [
        _Finding(
            f"the {kind} {name} is somebody else's, and could be called in place of one that the registry means",
            f"alter {kind} {name} owner to {user} -- after reading it; {_A_SCHEMA_OF_ITS_OWN}",
        )
        for kind, name, user in rows
    ]


def _other_catalogue_findings(conn: psycopg.Connection[TupleRow], schema: str) -> list[_Finding]:
    if _is_begun(conn, schema):
        return []
    return [
        _Finding(
            f"{sql.Identifier(other, 'artifacts').as_string(None)} looks like a table of an older catalogue",
            f"to take it over: ATLAS_SCHEMA={shlex.quote(other)}; to leave it alone and begin an empty registry: "
            f"ATLAS_SCHEMA={shlex.quote(schema)}",
        )
        for other in adoption.schemas_with_catalogues(conn)
        if other != schema
    ]
