"""The project's own server: made, found again, and started again after everything that can happen to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from atlas_models.local_cluster import LocalCluster
from atlas_models.migration_errors import LocalClusterError
from waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """One cluster for the tests of this file; each of them leaves it as it likes, and starts it when it needs it."""
    folder = tmp_path_factory.mktemp("project") / ".local"
    cluster = LocalCluster(folder)
    yield cluster
    cluster.stop()
    if cluster_state(cluster)["base"] != str(folder / "server"):
        subprocess.run(["rm", "-r", cluster_state(cluster)["base"]], check=True)


def cluster_state(cluster: LocalCluster) -> dict:
    return json.loads((cluster.folder / "cluster.json").read_text())


def data_folder(cluster: LocalCluster) -> Path:
    return Path(cluster_state(cluster)["base"]) / "data"


def postmaster(cluster: LocalCluster) -> int:
    return int((data_folder(cluster) / "postmaster.pid").read_text().splitlines()[0])


def value(url: str, query: str):
    with psycopg.connect(url) as conn:
        return conn.execute(query).fetchone()[0]


def test_the_url_that_start_gives_opens_the_database(cluster):
    url = cluster.start()
    assert url == cluster.url()
    assert value(url, "select current_database()") == "atlas"


def test_the_schema_is_on_every_sessions_path(cluster):
    assert value(cluster.start(), "show search_path") == "atlas, public"
    assert value(cluster.start('odd "name"'), "show search_path") == '"odd ""name""", public'
    assert value(cluster.start(), "show search_path") == "atlas, public"


def test_the_servers_python_imports_the_engine(cluster):
    with psycopg.connect(cluster.start()) as conn:
        conn.execute("create extension plpython3u")
        conn.execute("do $$ import jsonschema_rs $$ language plpython3u")
        conn.rollback()


def test_a_second_start_leaves_the_server_alone(cluster):
    cluster.start()
    pid = postmaster(cluster)
    cluster.start()
    assert postmaster(cluster) == pid


def test_the_password_is_asked_for_and_not_repeated(cluster):
    wrong = make_conninfo("", **{**conninfo_to_dict(cluster.start()), "password": "not-the-right-one"})
    environment = {**os.environ, "DATABASE_URL": wrong}
    result = subprocess.run(
        [sys.executable, "-m", "atlas_models.cli", "migrate"], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "password authentication failed" in result.stderr
    assert "not-the-right-one" not in result.stderr + result.stdout


def test_what_is_remembered_is_for_its_owner_only(cluster):
    cluster.start()
    assert stat.S_IMODE((cluster.folder / "cluster.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(cluster_state(cluster)["socket_folder"]).stat().st_mode) == 0o700


def test_the_password_is_not_in_the_servers_log(cluster):
    cluster.start()
    log = data_folder(cluster).with_name("server.log").read_text()
    assert cluster_state(cluster)["password"] not in log


def test_stop_says_whether_there_was_anything_to_stop(cluster):
    cluster.start()
    assert cluster.stop() is True
    assert cluster.stop() is False
    assert not cluster.is_running()


def test_the_port_is_remembered(cluster):
    first = cluster.start()
    cluster.stop()
    assert cluster.start() == first


def test_a_port_that_was_taken_meanwhile_is_replaced(cluster):
    first = cluster.start()
    cluster.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", cluster_state(cluster)["port"]))
        squatter.listen()
        second = cluster.start()
    assert second != first
    assert value(second, "select 1") == 1


def test_a_server_killed_the_hard_way_starts_again_with_its_data(cluster):
    with psycopg.connect(cluster.start()) as conn:
        conn.execute("create table if not exists kept as select 1 as one")
    os.kill(postmaster(cluster), signal.SIGKILL)
    wait_until(lambda: not cluster.is_running(), "the server to be gone")
    assert value(cluster.start(), "select one from kept") == 1


def test_a_zombie_is_not_taken_for_the_server(cluster):
    cluster.start()
    cluster.stop()
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)  # ended, and still in the process table
    leave_pid_file(cluster, zombie.pid)
    assert value(cluster.start(), "select 1") == 1
    zombie.wait()


def test_another_program_that_got_the_process_id_is_not_taken_for_the_server(cluster):
    cluster.start()
    cluster.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        leave_pid_file(cluster, stranger.pid)
        assert not cluster.is_running()
        assert value(cluster.start(), "select 1") == 1
        stranger.communicate(b"\n")


def leave_pid_file(cluster: LocalCluster, pid: int) -> None:
    file = data_folder(cluster) / "postmaster.pid"
    file.write_text(f"{pid}\n{data_folder(cluster)}\n1700000000\n")
    owner = data_folder(cluster).stat()
    os.chown(file, owner.st_uid, owner.st_gid)


def test_several_starts_at_once_start_one_server(cluster):
    cluster.start()
    cluster.stop()
    with ThreadPoolExecutor(4) as pool:
        urls = set(pool.map(lambda _: LocalCluster(cluster.folder).start(), range(4)))
    assert urls == {cluster.url()}


def test_a_forgotten_password_is_set_anew(cluster):
    cluster.start()
    file = cluster.folder / "cluster.json"
    state = json.loads(file.read_text())
    file.write_text(json.dumps({**state, "password": "another-one"}))
    assert value(cluster.start(), "select 1") == 1


def test_a_folder_that_the_servers_user_cannot_reach_is_kept_elsewhere(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root runs the server as another user")
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    cluster = LocalCluster(hidden / ".local")
    try:
        assert value(cluster.start(), "select 1") == 1
        base = Path(cluster_state(cluster)["base"])
        assert base.is_relative_to("/var/lib/atlas-models")
    finally:
        cluster.stop()
        subprocess.run(["rm", "-rf", cluster_state(cluster)["base"]], check=True)


def test_a_path_too_long_for_a_socket_is_no_hindrance(tmp_path):
    cluster = LocalCluster(tmp_path / ("long" * 25) / ".local")
    try:
        assert value(cluster.start(), "select 1") == 1
    finally:
        cluster.stop()
        state = cluster_state(cluster)
        subprocess.run(["rm", "-rf", state["base"], state["socket_folder"]], check=True)


def test_without_a_cluster_there_is_no_url(tmp_path):
    with pytest.raises(LocalClusterError, match="there is no local cluster yet"):
        LocalCluster(tmp_path).url()


def test_a_damaged_memory_is_one_clear_error(tmp_path):
    (tmp_path / "cluster.json").write_text("{")
    with pytest.raises(LocalClusterError, match="is damaged"):
        LocalCluster(tmp_path).start()
