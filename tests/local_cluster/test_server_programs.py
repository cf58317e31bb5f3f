"""Which PostgreSQL is chosen, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_models import server_programs
from atlas_models.migration_errors import LocalClusterError
from atlas_models.server_programs import ServerPrograms, find_or_install


def installed(monkeypatch, *programs: ServerPrograms) -> None:
    monkeypatch.setattr(server_programs, "_installed", lambda: list(programs))


def programs(major: int, *, has_plpython: bool = True) -> ServerPrograms:
    return ServerPrograms(Path(f"/nowhere/{major}/bin"), major, has_plpython)


def test_the_newest_one_with_plpython_is_chosen(monkeypatch):
    installed(monkeypatch, programs(18, has_plpython=False), programs(17), programs(15))
    assert find_or_install(print).major == 17


def test_data_of_an_older_version_get_that_version(monkeypatch):
    installed(monkeypatch, programs(17), programs(15))
    assert find_or_install(print, major=15).major == 15


@pytest.mark.parametrize(
    ("found", "problem", "command"),
    [
        ([], "PostgreSQL 15 or newer with PL/Python is not installed", "apt-get install postgresql-15 postgresql-plpy"),
        ([programs(13)], "PostgreSQL 15 or newer with PL/Python is not installed", "apt-get install postgresql-15"),
        ([programs(16, has_plpython=False)], "PL/Python for PostgreSQL 15 or newer", "install postgresql-plpython3-16"),
    ],
)
def test_a_user_who_may_not_install_is_told_the_command(monkeypatch, found, problem, command):
    installed(monkeypatch, *found)
    monkeypatch.setattr(server_programs.shutil, "which", lambda _name: "/usr/bin/apt-get")
    monkeypatch.setattr(server_programs.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(server_programs, "_default_major", lambda: 15)
    with pytest.raises(LocalClusterError) as caught:
        find_or_install(print)
    assert problem in caught.value.message
    assert command in caught.value.hint


def test_a_system_without_apt_is_told_what_to_install(monkeypatch):
    installed(monkeypatch, programs(16, has_plpython=False))
    monkeypatch.setattr(server_programs.shutil, "which", lambda _name: None)
    with pytest.raises(LocalClusterError) as caught:
        find_or_install(print)
    assert "dnf install postgresql16-plpython3" in caught.value.hint
