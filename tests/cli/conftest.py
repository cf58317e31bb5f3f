"""The command `atlas` within this process, on one database for a whole file of tests: most of them only look."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from click.testing import CliRunner, Result

from atlas_models.cli import main
from commands import as_url
from factories import external_metadata, register

Run = Callable[..., Result]


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "ATLAS_SCHEMA", "PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("list", "--json", DATABASE_URL=…)``: to its end, without a terminal, with no database but those given."""
    _forget(monkeypatch)

    def run(*arguments: str, input: str | None = None, **environment: str) -> Result:  # noqa: A002
        result = CliRunner().invoke(main, list(arguments), input=input, env=environment, prog_name="atlas")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return run


@pytest.fixture(scope="module")
def shelf(new_database: Callable[..., str], template_database: str) -> Iterator[str]:
    """URL of a database with a few models, which tests may look at; it is a file's own."""
    url = new_database(template_database)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("set search_path = atlas")
        for number in (1, 2, 3):
            register(conn, "credit-risk", artifact_id=f"credit-risk-{number}00")
        register(conn, "churn", artifact_id="churn-a", title="Who leaves")
        register(conn, "vit-base", external_metadata(), artifact_id="vit-base-1")
        conn.execute("select register_artifact('dataset', 'Loans', artifact_id => 'loans-2026')")
        conn.execute("select promote_model('credit-risk-100'), promote_model('credit-risk-200')")
        conn.execute("select reject_model('churn-a', 'drifts')")
    yield as_url(url)
