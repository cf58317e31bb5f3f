"""The wheel brings the database's files along: a deploy needs no checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from atlas_models import __version__, server_engine

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def files_below(*folders: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_all_of_the_databases_files_and_nothing_of_the_tests(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    carried = {name.removeprefix("atlas_models/_database/") for name in names if "/_database/" in name}
    assert carried == files_below("migrations", "sql", "schemas")
    assert {"atlas_models/py.typed", "atlas_models/example_catalogue.sql"} <= names
    site = files_below("python_client/src/atlas_models/site")
    assert "python_client/src/atlas_models/site/templates/version.html" in site
    assert {name.removeprefix("python_client/src/") for name in site} <= names
    assert {name.partition("/")[0] for name in names} == {"atlas_models", f"atlas_models-{__version__}.dist-info"}


def test_an_installed_wheel_deploys_without_the_checkout(wheel, empty_database, tmp_path):
    installed = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(installed)]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    parts = conninfo_to_dict(empty_database)
    environment = {**os.environ, "PYTHONPATH": str(installed), "PGPASSWORD": str(parts.get("password", ""))}
    url = f"postgresql://{parts['user']}@{parts['host']}:{parts['port']}/{parts['dbname']}"
    result = subprocess.run(
        [sys.executable, "-c", "import atlas_models.cli as c; print(c.__file__); c.main()", "migrate", url],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == str(installed / "atlas_models" / "cli.py")
    assert "  applied   0001_artifacts" in result.stdout


def test_the_engines_version_is_the_same_everywhere():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'"(jsonschema-rs[^"]*)"', project) == [server_engine.REQUIREMENT]
    assert (
        "jsonschema-rs>={}.{},<{}.{}".format(*server_engine.MINIMUM_VERSION, *server_engine.BELOW_VERSION)
        == server_engine.REQUIREMENT
    )


def test_the_version_is_the_same_everywhere():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'^version = "(.*)"$', project, re.MULTILINE) == [__version__]
