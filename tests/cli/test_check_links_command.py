"""What `atlas check-links` lists and exits with."""

from __future__ import annotations

import json

import pytest

from commands import as_url, atlas
from factories import external_metadata, register
from terminals import Terminal

SHA = "5c1d2a9e0f5b7c3d8e6f4a1b2c3d4e5f6a7b8c9d"
REPOSITORY = "https://git.example.org/risk"


@pytest.fixture
def url(database_url: str, conn) -> str:
    """Two versions of a model, the first without a commit; and an external one without anything."""
    register(conn, "risk", artifact_id="risk-1", code_repo_url=REPOSITORY)
    register(conn, "risk", artifact_id="risk-2", code_repo_url=REPOSITORY, code_commit_sha=SHA)
    register(conn, "bert", external_metadata(), artifact_id="bert-1")
    conn.execute("select promote_model('bert-1')")
    return as_url(database_url)


def test_versions_without_a_pin_are_listed(url):
    ended = atlas("check-links", DATABASE_URL=url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "bert 1 (bert-1): promoted, external; unknown: repository and commit",
        "risk 1 (risk-1): candidate; unknown: commit",
        "versions without a pin: 2",
        "of them promoted, and no external model: 0",
    ]


def test_it_exits_with_one_while_a_promoted_internal_model_has_none(url, conn):
    conn.execute("select promote_model('risk-1')")
    ended = atlas("check-links", DATABASE_URL=url)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.endswith("of them promoted, and no external model: 1\n")
    conn.execute("select link_code('risk-1', code_commit_sha => %s)", [SHA])
    assert atlas("check-links", DATABASE_URL=url).returncode == 0


def test_the_list_as_json(url, conn):
    conn.execute("select promote_model('risk-1')")
    ended = atlas("check-links", "--json", DATABASE_URL=url)
    found = json.loads(ended.stdout)
    assert (ended.returncode, found["promoted_internal"]) == (1, 1)
    assert [version["artifact_id"] for version in found["versions"]] == ["bert-1", "risk-1"]
    assert found["versions"][1] == {
        "artifact_id": "risk-1",
        "name": "risk",
        "version_number": 1,
        "title": None,
        "promotion_state": "promoted",
        "is_external": False,
        "code_repo_url": REPOSITORY,
        "code_commit_sha": None,
    }


def test_when_every_version_is_pinned_it_says_so(database_url):
    ended = atlas("check-links", DATABASE_URL=as_url(database_url))
    assert (ended.returncode, ended.stdout.splitlines()) == (
        0,
        ["versions without a pin: 0", "of them promoted, and no external model: 0"],
    )


def test_a_legacy_model_that_waits_is_listed_without_a_name(backfilled_url):
    lines = atlas("check-links", DATABASE_URL=as_url(backfilled_url)).stdout.splitlines()
    assert "(no name yet) 2 (drift-2): candidate; unknown: repository and commit" in lines


def test_a_terminal_shows_a_table(url):
    with Terminal("check-links", DATABASE_URL=url) as terminal:
        assert terminal.end() == 0
    assert "│ risk  │ 1       │ candidate          │ commit                │ risk-1      │\n" in terminal.shown()
