"""What is learnt later about code and training is filled in, once."""

from __future__ import annotations

import pytest

from factories import register
from refusals import refused

REPO = "https://git.example.org/team/project"
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def version(conn):
    """The artifact id of a registered version without code or training."""
    return register(conn, "risk", artifact_id="v1").artifact_id


def one(conn, query, *parameters):
    return conn.execute(query, parameters).fetchone()


def test_a_code_pin_is_filled_in_and_a_repeated_call_changes_nothing(conn, version):
    link = "select link_code(%s, %s, %s, %s)"
    assert one(conn, link, version, REPO, SHA, "train.py") == (True,)
    before = one(conn, "select ctid, * from model_versions")
    assert one(conn, link, version, REPO, SHA, "train.py") == (False,)
    assert one(conn, link, version, REPO, None, None) == (False,)
    assert one(conn, "select ctid, * from model_versions") == before
    query = "select code_repo_url, code_commit_sha, code_entrypoint from models"
    assert one(conn, query) == (REPO, SHA, "train.py")


def test_a_code_pin_may_come_in_parts(conn, version):
    assert one(conn, "select link_code(%s, code_repo_url => %s)", version, REPO) == (True,)
    assert one(conn, "select link_code(%s, code_commit_sha => %s)", version, SHA) == (True,)
    assert one(conn, "select code_repo_url, code_commit_sha from models") == (REPO, SHA)


@pytest.mark.parametrize(
    ("column", "standing", "other"),
    [
        ("code_repo_url", REPO, REPO + "2"),
        ("code_commit_sha", SHA, SHA[::-1]),
        ("code_entrypoint", "train.py", "main.py"),
    ],
)
def test_another_pin_is_refused(conn, version, column, standing, other):
    conn.execute(f"select link_code(%s, {column} => %s)", [version, standing])
    with refused("MR005", detail=f"/{column}: has another value already", column=column):
        conn.execute(f"select link_code(%s, {column} => %s)", [version, other])


def test_a_pin_that_is_not_well_formed_is_refused(conn, version):
    with refused(
        "23514",
        detail="/code_commit_sha: must be 40 or 64 lower-case hexadecimal digits",
        column="code_commit_sha",
        constraint="model_versions_row_complete",
    ):
        conn.execute("select link_code(%s, code_commit_sha => 'main')", [version])


def test_a_run_is_recorded_once_and_its_parameters_are_the_latest(conn, version):
    call = "select record_training(%s, '2024-05-01T10:00Z', '2024-05-01T12:00Z', 'agent-7', 'gpu-9', %s)"
    assert one(conn, call, version, '{"lr": 0.1}') == (True,)
    assert one(conn, call, version, '{"lr": 0.1}') == (False,)
    assert one(conn, call, version, None) == (False,)
    assert one(conn, call, version, '{"lr": 0.2}') == (True,)
    query = "select trained_by, gpu_allocation_id, latest_training_params, declared_training_config from models"
    assert one(conn, query) == ("agent-7", "gpu-9", {"lr": 0.2}, None)


def test_another_run_is_refused(conn, version):
    conn.execute("select record_training(%s, trained_by => 'agent-7')", [version])
    with refused("MR005", detail="/trained_by: has another value already", column="trained_by"):
        conn.execute("select record_training(%s, trained_by => 'agent-8')", [version])


def test_the_same_instant_in_another_time_zone_is_the_same(conn, version):
    conn.execute("select record_training(%s, training_started_at => '2024-05-01T10:00Z')", [version])
    call = "select record_training(%s, training_started_at => '2024-05-01T12:00+02')"
    assert one(conn, call, version) == (False,)


def test_a_run_that_ends_before_it_began_is_refused(conn, version):
    conn.execute("select record_training(%s, training_started_at => '2024-05-01T10:00Z')", [version])
    with refused(
        "23514",
        detail="/training_completed_at: must not be before training_started_at",
        column="training_completed_at",
        constraint="model_versions_row_complete",
    ):
        conn.execute("select record_training(%s, training_completed_at => '2024-05-01T09:00Z')", [version])


@pytest.mark.parametrize("function", ["link_code", "record_training"])
def test_an_unknown_version_is_refused(conn, function):
    with refused("P0002", detail="/artifact_id: 'nobody' names no model version"):
        conn.execute(f"select {function}('nobody')")


def test_versions_without_a_pin_are_listed(conn):
    register(conn, "risk", artifact_id="v1")
    register(conn, "risk", artifact_id="v2", code_repo_url=REPO, code_commit_sha=SHA)
    register(conn, "risk", artifact_id="v3", code_repo_url=REPO)
    query = "select artifact_id, version_number, code_repo_url from unlinked_models order by 1"
    assert conn.execute(query).fetchall() == [("v1", 1, None), ("v3", 3, REPO)]


def test_registrars_link_and_record(connect, version):
    with connect("test_registrar") as registrar:
        assert one(registrar, "select link_code(%s, %s)", version, REPO) == (True,)
        assert one(registrar, "select record_training(%s, trained_by => 'a')", version) == (True,)
    for user in ("test_reviewer", "test_reader", "test_stranger"):
        with connect(user) as other, refused("42501", detail=None):
            other.execute("select link_code(%s, %s)", [version, REPO])
