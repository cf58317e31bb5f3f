"""What the first validated write of a connection is made of, in the server's processor time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import psycopg

from benchmarks import search

Step = Callable[[psycopg.Connection], object]

_DATASET = "select register_artifact('dataset', 'Admissions')"
_START = "do language plpython3u 'pass'"
# What the engine would import if nothing stood in for it.
_IMPORT_MORE = "do language plpython3u 'import email.utils'"
_VALIDATE = "select is_valid_metadata('model', 1, '{}')"


def measure(
    connect: Callable[..., psycopg.Connection],
    take: Callable[[int, Callable[[int], str]], list[dict[str, Any]]],
    register: Callable[[psycopg.Connection, dict[str, Any]], str],
    schema: str,
    rounds: int,
) -> Iterator[tuple[str, str, str, str, str, bool | None]]:
    """Open a connection, and write; again and again, each way in turn. Gives lines of the table."""

    def write(conn: psycopg.Connection) -> None:
        (model,) = take(1, lambda number: f"first {number}")
        register(conn, model)

    def run(query: str) -> Step:
        return lambda conn: conn.execute(query)

    ways: dict[str, tuple[str, tuple[Step, ...]]] = {
        "as it is": ("", (write, write)),
        "with all that the engine imports": ("", (run(_IMPORT_MORE), write)),
        "by parts": ("", (run(_START), run(_VALIDATE), write)),
        "preloaded": ("plpython3", (write,)),
        "a dataset": ("", (run(_DATASET),)),
    }
    worked: dict[str, list[list[float]]] = {way: [] for way in ways}
    took: dict[str, list[list[float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, (preloaded, steps) in ways.items():
            one = _once(connect, schema, preloaded, steps)
            for times, kept in zip(one, (worked, took), strict=True):
                kept[way].append(times)

    def middle(way: str, step: int, times: dict[str, list[list[float]]] = worked) -> float:
        return median(turn[step] for turn in times[way])

    def line(what: str, ours: str, compared: str = "", ratio: str = "") -> tuple[str, str, str, str, str, bool | None]:
        return (what, ours, compared, ratio, "reported", None)

    # Step 0 is the connection itself.
    first, before = middle("as it is", 1), middle("with all that the engine imports", 1)
    before += middle("with all that the engine imports", 2)
    yield line(
        "first validated write of a connection",
        f"{first:.1f} ms of processor time ({middle('as it is', 1, took):.1f} ms by the clock)",
        f"{before:.1f} ms if it imported all that the engine asks for",
        f"{1 - first / before:.0%} less",
    )
    start, validate, rest = (middle("by parts", step) for step in (1, 2, 3))
    yield line(
        "of it: the interpreter starts; the engine is imported and the schema compiled; plans and catalogue",
        f"{start:.1f} ms; {validate:.1f} ms; {rest:.1f} ms",
    )
    yield line(
        "the same with session_preload_libraries = plpython3",
        f"{middle('preloaded', 1):.1f} ms, and {middle('preloaded', 0):.1f} ms for the connection",
        f"{first:.1f} ms, and {middle('as it is', 0):.1f} ms for the connection",
    )
    yield line("second validated write", f"{middle('as it is', 2):.1f} ms ({middle('as it is', 2, took):.1f} ms)")
    yield line(
        "a dataset, which is not validated", f"{middle('a dataset', 1):.1f} ms ({middle('a dataset', 1, took):.1f} ms)"
    )


def _once(
    connect: Callable[..., psycopg.Connection], schema: str, preloaded: str, steps: tuple[Step, ...]
) -> tuple[list[float], list[float]]:
    """Milliseconds that the server worked for the connection and for each step, and that they took."""
    began = time.perf_counter()
    with connect(schema, **({"session_preload_libraries": preloaded} if preloaded else {})) as conn:
        conn.execute("select 1")
        took, so_far = [(time.perf_counter() - began) * 1e3], search.processor_time(conn)
        worked = [so_far]
        for step in steps:
            began = time.perf_counter()
            step(conn)
            took.append((time.perf_counter() - began) * 1e3)
            now = search.processor_time(conn)
            worked.append(now - so_far)
            so_far = now
    # Where the system does not tell the processor time, the clock has to do.
    return worked if so_far else took, took
