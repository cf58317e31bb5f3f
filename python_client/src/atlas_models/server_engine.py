"""Puts the validation engine (the Python module jsonschema_rs) where a server's PL/Python finds it.

The engine is one abi3 library without dependencies, so the copy that this package itself depends on serves the
server's Python as well, whichever version that is: installing it needs no network.
"""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

from atlas_models.migration_errors import MigrationError

DISTRIBUTION = "jsonschema-rs"
MODULE = "jsonschema_rs"
MINIMUM_VERSION = (0, 60)
BELOW_VERSION = (0, 61)
REQUIREMENT = "jsonschema-rs>=0.60,<0.61"


def is_supported(version: str) -> bool:
    """Says whether a version of the engine is one that this release was made for.

    Args:
        version: A version such as ``0.60.3``.

    Returns:
        True when it lies in the range of ``REQUIREMENT``.
    """
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return len(numbers) == 2 and MINIMUM_VERSION <= tuple(numbers) < BELOW_VERSION


def install(folder: Path) -> bool:
    """Copies this environment's engine into a folder, unless the same version is there already.

    Args:
        folder: The folder to put on the server's PYTHONPATH; made when missing, readable for everyone.

    Returns:
        True when something was copied.

    Raises:
        MigrationError: The engine of this environment is missing or was built for one Python version only.
    """
    try:
        engine = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise MigrationError(
            f"this Python environment has no {DISTRIBUTION}", hint=f"python3 -m pip install '{REQUIREMENT}'"
        ) from None
    stamp = folder / f"{MODULE}-{engine.version}.installed"
    if stamp.exists():
        return False
    files = [file for file in engine.files or [] if "__pycache__" not in file.parts and ".." not in file.parts]
    if not any(file.name.endswith(".abi3.so") for file in files):
        raise MigrationError(
            f"this environment's {DISTRIBUTION} is not the abi3 build, which any Python can load",
            hint="make the environment anew with a standard CPython 3.10 or newer",
        )
    shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(file.locate()), target)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    stamp.touch(mode=0o644)
    return True
