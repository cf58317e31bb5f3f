"""A streaming standby: what can be read on it, and what is there when it takes over from a primary that was killed."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from atlas_models import Registry, server_engine
from atlas_models.migration_errors import PreflightError
from atlas_models.migration_runner import migrate, verify
from atlas_models.server_programs import find_or_install
from commands import as_url
from conftest import Server, _create_login_roles
from factories import external_metadata, internal_metadata, register
from refusals import refused
from standbys import kill_server, standby_of
from waiting import wait_until

# How every function that reads, and that a reader may call, is called; and what it answers with at least one row.
CALLS = {
    "check_gates": "('risk-1')",
    "current_metadata_schema_version": "()",
    "has_bounded_numbers": "('{}')",
    "is_bounded_metadata": "('model', 1, '{}')",
    "is_bounded_object": "('{}')",
    "is_commit_sha": "('0123456789abcdef0123456789abcdef01234567')",
    "is_complete_artifact": "('model', 1, 'a', 'a', 1, true, null, null, now(), now())",
    "is_complete_version": "(null, null, null, null, null, null, null, null, null, null)",
    "is_model_name": "('risk')",
    "is_repository_url": "('https://git.example.org/a/b')",
    "is_valid_metadata": "('model', 1, '{}')",
    "json_matches_schema": "('{}', '{}')",
    "jsonb_matches_schema": "('{}', '{}')",
    "jsonschema_is_valid": "('{}')",
    "jsonschema_validation_errors": "('{\"type\": \"object\"}', '1')",
    "metadata_errors": "('{}')",
    "migration_report": "()",
    "model_card": "('risk-1')",
    "model_history": "('risk')",
    "model_lineage": "('risk-2')",
    "promoted_at": "('risk')",
    "resolve_artifact": "('risk')",
    "rows_are_complete": "()",
    "search_models": "('{\"all\": [{\"text\": \"risk\"}, {\"metric\": \"auroc\", \">=\": 0.5}]}')",
    "suggest_names": "('rsk')",
    "validate_metadata": None,  # answers with nothing, or refuses
}
READING = """
    select p.proname from pg_proc as p
    where p.pronamespace = 'atlas'::regnamespace and p.provolatile <> 'v' and p.prorettype <> 'trigger'::regtype
        and has_function_privilege('atlas_reader', p.oid, 'execute')
    order by 1
"""
VIEWS = """
    select c.relname from pg_class as c
    where c.relnamespace = 'atlas'::regnamespace and c.relkind in ('v', 'm')
        and has_table_privilege('atlas_reader', c.oid, 'select')
    order by 1
"""
WRITING = """
    select format('%I(%s)', p.proname, (select string_agg('null::' || format_type(a, null), ', ') from unnest(p.proargtypes) as a))
    from pg_proc as p
    where p.pronamespace = 'atlas'::regnamespace and p.provolatile = 'v' and p.prokind = 'f'
        and p.prorettype <> 'trigger'::regtype and p.proname = 'seal_legacy'
"""


def fill(conn: psycopg.Connection) -> None:
    """Something of everything that can be read."""
    register(conn, "risk", artifact_id="risk-1")
    register(conn, "risk", artifact_id="risk-2", parent_version_id="risk-1")
    register(conn, "vit", external_metadata(), artifact_id="vit-1")
    conn.execute("select register_artifact('dataset', 'Loans', artifact_id => 'loans')")
    conn.execute("select record_evaluation('risk-1', metrics => '{\"auroc\": 0.9}', eval_dataset_artifact_id => 'loans')")
    conn.execute("select set_promotion_gate('auroc', '>=', 0.5, model_name => 'risk')")
    conn.execute("select promote_model('risk-1', override_reason => 'a trial')")


def read_everything(conn: psycopg.Connection) -> None:
    """Reads every view and calls every function that a reader may, as the reader that is connected."""
    views = [name for (name,) in conn.execute(VIEWS)]
    functions = [name for (name,) in conn.execute(READING)]
    assert {"models", "unlinked_models"} <= set(views)
    assert functions == sorted(CALLS), "a function that reads needs a call in this list"
    for view in views:
        found = conn.execute(f"select * from atlas.{view}").fetchall()
        assert bool(found) == (view != "backfill_reviews" and view != "unlinked_models" or view == "unlinked_models"), view
    for function, arguments in CALLS.items():
        if arguments is None:
            with refused("23514"):
                conn.execute(f"select atlas.{function}('{{}}')")
            continue
        assert conn.execute(f"select * from atlas.{function}{arguments}").fetchall(), function


def as_reader(url: str) -> psycopg.Connection:
    return psycopg.connect(make_conninfo(url, user="test_reader"), autocommit=True)


def test_everything_that_a_reader_may_call_reads_only(conn, database_url):
    fill(conn)
    with as_reader(database_url) as reader:
        reader.execute("begin read only")
        read_everything(reader)
