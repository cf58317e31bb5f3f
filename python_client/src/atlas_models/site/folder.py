"""A folder that is written as a whole: in a folder beside it, then put in its place."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atlas_models.errors import AtlasError

MARKER = ".atlas-site"
_CONTENTS = (MARKER, "index.html", "list*.html", "assets", "models", "artifacts")
_MARKER_TEXT = "Written by `atlas site`, which replaces this folder as a whole.\n"


class SiteError(AtlasError):
    """A site cannot be written where it should be."""


def check_target(folder: Path) -> bool:
    """Looks whether a site can be written to a folder, before anything is read.

    Args:
        folder: Where the site should stand; its parent must be there.

    Returns:
        Whether a site of ours stands there that is to be replaced.

    Raises:
        SiteError: Something else stands there, or nothing can be written there.
    """
    try:
        return _check(folder, folder.resolve())
    except OSError as error:
        raise SiteError(f"cannot write {folder}: {error.strerror}") from error


def _check(folder: Path, target: Path) -> bool:
    if not target.parent.is_dir():
        raise SiteError(f"the folder {target.parent} is not there", hint=f"mkdir -p {target.parent}")
    if not os.access(target.parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise SiteError(f"cannot write to the folder {target.parent}", hint="name a folder in one that you may write")
    if not target.exists():
        return False
    if not target.is_dir():
        raise SiteError(f"{folder} is no folder", hint="name a folder; it is made when it is not there")
    if os.path.ismount(target):
        raise SiteError(f"{folder} is a mount point, which cannot be replaced as a whole", hint="name a folder in it")
    if Path.cwd().is_relative_to(target):
        raise SiteError(f"{folder} is the folder that you are in, which is replaced as a whole", hint="name another")
    entries = sorted(target.iterdir())
    if not entries:
        return False
    if MARKER not in {entry.name for entry in entries}:
        raise SiteError(f"{folder} is not empty, and no site of ours", hint="name a new or an empty folder")
    strange = [entry.name for entry in entries if not any(entry.match(pattern) for pattern in _CONTENTS)]
    if strange:
        raise SiteError(
            f"{folder} holds {strange[0]!r}, which does not belong to the site and would be lost",
            hint="put it elsewhere, or name another folder",
        )
    return True


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Gives a new folder to write to, which takes the place of the named one at the end of the block.

    When the block fails the new folder is taken away, and what stood there stands there still.

    Args:
        folder: Where the site should stand.

    Raises:
        SiteError: As :func:`check_target`, or the disk is full.
    """
    replaces = check_target(folder)
    target = folder.resolve()
    suffix = secrets.token_hex(4)
    new = target.with_name(f".{target.name[:40]}.new-{suffix}")
    try:
        new.mkdir()  # by the umask, as what a web server is to read
        (new / MARKER).write_text(_MARKER_TEXT, encoding="utf-8")
        yield new
        _put_in_place(new, target, replaces)
    except OSError as error:
        where = error.filename or target
        raise SiteError(f"cannot write {where}: {error.strerror or error}; {_left(replaces)}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _left(replaces: bool) -> str:
    return "the site that was there stands as it was" if replaces else "nothing was left behind"


def _put_in_place(new: Path, target: Path, replaces: bool) -> None:
    if not replaces:
        new.rename(target)  # an empty folder gives way
        return
    old = new.with_name(new.name.replace(".new-", ".old-"))
    shutil.copymode(target, new)
    try:
        target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
