"""What `atlas card` and `atlas bom` write, where, and how they refuse."""

from __future__ import annotations

import errno
import json
import os
import sys

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

COMMANDS = pytest.mark.parametrize("command", ["card", "bom"])


def test_a_card_is_printed_for_whatever_means_a_version(run, shelf):
    by_name = run("card", "credit-risk", DATABASE_URL=shelf)
    assert (by_name.exit_code, by_name.stderr) == (0, "")
    assert by_name.stdout.startswith("---\ndatasets:\n- cohort A\nmetrics:\n- auroc\ntags:\n- gradient boosting\n")
    assert "\n- **Model:** credit-risk, version 3 (the latest)\n" in by_name.stdout
    for meant in ("credit-risk@3", "credit-risk-300", "credit-risk-3"):
        assert run("card", meant, DATABASE_URL=shelf).stdout == by_name.stdout


def test_a_card_as_json_is_one_object(run, shelf):
    result = run("card", "churn", "--json", DATABASE_URL=shelf)
    assert json.loads(result.stdout) == {
        "artifact_id": "churn-a",
        "markdown": run("card", "churn", DATABASE_URL=shelf).stdout,
    }


def test_a_bill_is_printed_as_cyclonedx(run, shelf):
    result = run("bom", "vit-base", DATABASE_URL=shelf)
    assert (result.exit_code, result.stderr) == (0, "")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(result.stdout) is None
    assert json.loads(result.stdout)["metadata"]["component"]["bom-ref"] == "model:vit-base-1"
    assert run("bom", "vit-base", "--json", DATABASE_URL=shelf).stdout == result.stdout


@COMMANDS
def test_a_file_holds_what_would_be_printed(run, shelf, tmp_path, command):
    printed = run(command, "churn", DATABASE_URL=shelf).stdout
    target = tmp_path / "written"
    target.write_text("what stood there")
    target.chmod(0o640)
    result = run(command, "churn", "--output", str(target), DATABASE_URL=shelf)
    size = len(printed.encode())
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{target}: {size:,} bytes\n")
    assert (target.read_text(encoding="utf-8"), target.stat().st_mode & 0o777) == (printed, 0o640)
    assert os.listdir(tmp_path) == ["written"]  # noqa: PTH208


@COMMANDS
def test_a_link_stays_a_link_and_a_pipe_a_pipe(run, shelf, tmp_path, command):
    printed = run(command, "churn", DATABASE_URL=shelf).stdout
    link = tmp_path / "link"
    link.symlink_to("target")
    assert run(command, "churn", "--output", str(link), DATABASE_URL=shelf).exit_code == 0
    assert (link.is_symlink(), (tmp_path / "target").read_text(encoding="utf-8")) == (True, printed)
    assert run(command, "churn", "--output", os.devnull, DATABASE_URL=shelf).exit_code == 0


@COMMANDS
def test_a_file_that_cannot_be_written_is_one_line(run, shelf, tmp_path, command):
    missing = tmp_path / "missing" / "file"
    for path, reason in ((missing, "No such file or directory"), (tmp_path, "Is a directory")):
        result = run(command, "churn", "--output", str(path), DATABASE_URL=shelf)
        assert (result.exit_code, result.stderr) == (1, f"atlas: {path} cannot be written: {reason}\n")


@COMMANDS
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")  # noqa: PTH110
def test_a_device_that_is_full_is_one_line(run, shelf, command):
    result = run(command, "churn", "--output", "/dev/full", DATABASE_URL=shelf)
    assert (result.exit_code, result.stderr) == (1, "atlas: /dev/full cannot be written: No space left on device\n")


@COMMANDS
def test_a_full_disk_leaves_what_stood_there(run, shelf, tmp_path, monkeypatch, command):
    target = tmp_path / "written"
    target.write_text("what stood there")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = run(command, "churn", "--output", str(target), DATABASE_URL=shelf)
    assert (result.exit_code, result.stderr) == (1, f"atlas: {target} cannot be written: No space left on device\n")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("written", "what stood there")]


@COMMANDS
def test_what_is_not_there_is_answered_with_what_is_near(run, shelf, tmp_path, command):
    result = run(command, "chrun", "--output", str(tmp_path / "none"), DATABASE_URL=shelf)
    assert (result.exit_code, result.stdout, result.stderr) == (
        1,
        "",
        "atlas: there is no artifact chrun\n  hint: Did you mean churn?\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_has_neither_card_nor_bill(run, shelf):
    card = run("card", "loans-2026", DATABASE_URL=shelf)
    assert (card.exit_code, card.stderr.splitlines()[0]) == (1, "atlas: there is no model version loans-2026")
    bom = run("bom", "loans-2026", DATABASE_URL=shelf)
    assert (bom.exit_code, bom.stderr.splitlines()[0]) == (1, "atlas: loans-2026 is no model")


def test_without_the_extra_a_bill_says_what_to_install(run, shelf, monkeypatch):
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    result = run("bom", "churn", DATABASE_URL=shelf)
    assert (result.exit_code, result.stdout, result.stderr) == (
        1,
        "",
        "atlas: a bill of materials needs the CycloneDX library\n"
        "  hint: pip install 'cyclonedx-python-lib[json-validation]<12', which atlas-models[bom] brings along\n",
    )
