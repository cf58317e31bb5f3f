"""What a server process has worked and what it holds, on Linux and on this machine; 0 elsewhere."""

from __future__ import annotations

from pathlib import Path


def worked(pid: int) -> float:
    """Milliseconds of processor time."""
    statistics = Path(f"/proc/{pid}/schedstat")
    return int(statistics.read_text().split()[0]) / 1e6 if statistics.exists() else 0.0


def held(pid: int) -> int:
    """Bytes of memory that it has for itself."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), 0)
