"""A registry with every kind of version, some of them hostile, and the command that writes its site."""

from __future__ import annotations

from pathlib import Path

import psycopg
from click.testing import CliRunner
from psycopg.types.json import Jsonb

from atlas_models.cli import main
from factories import external_metadata, internal_metadata, register

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# Whatever of it is run sets a variable that the browser is asked for.
SCRIPT = "globalThis.wasRun=1"
HOSTILE = (
    f"<script>{SCRIPT}</script>",
    f'"><img src=x onerror="{SCRIPT}">',
    f"[click](javascript:{SCRIPT}) ![i](https://pictures.example.org/x.png) <https://a.example.org>",
    f"</title></script><svg onload={SCRIPT}> &lt;script&gt;{SCRIPT}&lt;/script&gt; {{{{ 7 * 7 }}}} {{% raw %}}",
    "\u202egnp.exe\u202c &#x202e;reversed Z\u0335\u0321\u0328\u0322a\u0335\u0321\u0328\u0322l" + "\u0335\u0321" * 90,
)
HOSTILE_IDS = ("../../etc/passwd", "CON", "Case", "case", "a/b?c#d%2e", f"<img/src=x/onerror={SCRIPT}>", "x" * 256)


def fill(conn: psycopg.Connection) -> None:
    """Registers a family of versions with gates and decisions, models made from it, and what is hostile."""
    conn.execute("set search_path = atlas")
    conn.execute("select register_artifact('dataset', 'Loans of 2026', artifact_id => 'loans-2026')")
    register(
        conn,
        "base",
        external_metadata(
            external_source_url="https://models.example.org/base", external_source_version="r1", task="scoring"
        ),
        artifact_id="base-1",
        title="What others are made from",
    )
    for number, auroc in enumerate((0.7, 0.8, 0.9), 1):
        register(
            conn,
            "credit-risk",
            internal_metadata(
                base_model_id="base-1",
                task="credit scoring",
                evaluation_metrics={"auroc": auroc, "latency_ms": 100 - number},
            ),
            artifact_id=f"risk-{number}",
            title=f"Weekly risk, try {number}",
            code_repo_url="https://github.com/example/risk.git",
            code_commit_sha=COMMIT,
            eval_dataset_artifact_id="loans-2026",
            **({"parent_version_id": f"risk-{number - 1}"} if number > 1 else {}),
        )
    conn.execute("select set_promotion_gate('auroc', '>=', 0.75, model_name => 'credit-risk', reason => 'the board')")
    for number in (2, 3):
        conn.execute(
            "select record_evaluation(%s, metrics => %s, eval_dataset_artifact_id => 'loans-2026')",
            [f"risk-{number}", Jsonb({"auroc": 0.8})],
        )
        conn.execute("select promote_model(%s)", [f"risk-{number}"])
    for number in range(12):
        register(conn, f"made-{number:02}", internal_metadata(base_model_id="risk-3"), artifact_id=f"made-{number:02}")
    for number, text in enumerate(HOSTILE):
        fields = internal_metadata(
            model_family=text, framework=text, task=text, license=text, description=text, training_data=[text, text]
        )
        fields["evaluation_metrics"] = {text: 1.5, "auroc": 0.5}
        for again in (1, 2):
            register(
                conn,
                f"hostile {number} {text}"[:250].replace("\u202e", "").replace("\u202c", ""),
                fields,
                artifact_id=f"hostile-{number}-{again}",
                title=text,
                changelog=text,
                created_by=text,
                origin_url=f"javascript:{SCRIPT}",
                version_tag=text,
            )
    for artifact_id in HOSTILE_IDS:
        register(conn, "strange ids", internal_metadata(base_model_id="base-1"), artifact_id=artifact_id)
    register(
        conn,
        "long",
        internal_metadata(description="[a](<" * 40_000 + "*_`" * 100_000 + "\n" + "> " * 50_000),
        artifact_id="long",
    )


def write(url: str, folder: Path, *options: str) -> str:
    """Runs ``atlas site`` and gives what it printed."""
    result = CliRunner().invoke(main, ["site", str(folder), "--url", url, *options], prog_name="atlas")
    assert result.exit_code == 0, result.output
    return result.stdout
