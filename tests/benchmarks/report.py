"""The table of a run, for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import psycopg

from benchmarks.parts import Result

BEGIN, END = "<!-- written by make bench, from here -->", "<!-- to here -->"
SETTINGS = ("fsync", "synchronous_commit", "shared_buffers", "max_wal_size", "work_mem")


def environment(url: str, peer: str = "") -> str:
    """Where it was measured: processor, system, versions of what was measured and of its peers, settings."""
    with psycopg.connect(url) as conn:
        (postgresql,) = conn.execute("select current_setting('server_version')").fetchone() or ("",)
        settings = [f"{name} = {conn.execute('select current_setting(%s)', [name]).fetchone()[0]}" for name in SETTINGS]
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "") if platform.system() == "Linux" else ""
    return "\n".join(
        [
            f"- {_processor()}; {release or platform.system()}, {platform.machine()}",
            f"- PostgreSQL {postgresql}, Python {platform.python_version()}, psycopg {psycopg.__version__}"
            f" ({psycopg.pq.__impl__}), jsonschema-rs {version('jsonschema-rs')}",
            f"- beside {peer or 'no MLflow'}, python-jsonschema {version('jsonschema')}",
            f"- {', '.join(settings)}",
        ]
    )


def _processor() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor() or "unknown processor"


def table(results: Iterable[Result]) -> str:
    """Write the results as a Markdown table."""
    lines = ["| | measured | Atlas | compared with | ratio | is to be | |", "|---|---|---|---|---|---|---|"]
    for r in sorted(results, key=lambda r: int(r.part) if r.part.isdigit() else 0):
        met = {True: "met", False: "**missed**", None: ""}[r.is_met]
        lines.append(f"| {r.part} | {r.measured} | {r.ours} | {r.compared} | {r.ratio} | {r.target} | {met} |")
    return "\n".join(lines)


def write(path: Path, generated: str) -> None:
    """Replace what stands between the marks of a file; what surrounds them stays."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{generated}\n\n{END}{after}")
