"""The main job on real input: each record of MMPreTrain's catalogue is registered as it stands, or listed."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from atlas_models import Registry
from commands import as_url, atlas

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "register_mmpretrain.py"
CATALOGUE = ROOT.parent / "shared" / "data" / "mmpretrain_models.jsonl"

pytestmark = pytest.mark.skipif(
    not CATALOGUE.is_file(), reason=f"the catalogue is not here: ../shared/data/{CATALOGUE.name}"
)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("register_mmpretrain", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def records() -> dict[str, dict]:
    """The source, read without the example's help, by the model's name."""
    lines = CATALOGUE.read_text(encoding="utf-8").splitlines()
    return {record["model"]["Name"]: record for record in map(json.loads, lines)}


@pytest.fixture(scope="module")
def url(template_database: str, new_database: Callable[..., str]) -> str:
    return new_database(template_database)


@pytest.fixture(scope="module")
def output(url: str) -> str:
    """What the example prints, run as its documentation says."""
    return run(url)


def run(url: str) -> str:
    command = [sys.executable, str(EXAMPLE), url, str(CATALOGUE)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def filled(url: str, output: str) -> str:
    """URL of the database, the catalogue in it."""
    assert output
    return url


@pytest.fixture
def registry(filled: str) -> Iterator[Registry]:
    with Registry(filled) as opened:
        yield opened


def test_the_counts_are_those_of_the_documentation(output):
    text = (ROOT / "docs" / "map_a_catalogue.md").read_text(encoding="utf-8")
    documented = re.search(
        r"^\$ [^\n]*register_mmpretrain[^\n]* tail -15\n(.*?)```", text, flags=re.DOTALL | re.MULTILINE
    )[1]
    counts = output[output.index("records read:") :]
    assert counts == documented
    assert counts.splitlines()[:9] == [
        "records read: 548",
        "models registered: 548 (0 stood there already)",
        "models listed with the fields they lack: 0",
        "bases registered: 97 (0 stood there already)",
        "bases listed with the fields they lack: 246",
        "  external_source_version: 246",
        "  framework: 96",
        "models linked to their base: 102",
        "models whose base is listed, registered without the link: 252",
    ]


def test_every_base_that_lacks_a_field_is_listed_with_it_and_with_its_models(output):
    listed = [line for line in output.splitlines() if line.startswith("base ")]
    assert len(listed) == 246
    assert (
        "base https://huggingface.co/openflamingo/OpenFlamingo-9B"
        " (named by flamingo_3rdparty-zeroshot_caption, flamingo_3rdparty-zeroshot_vqa):"
        " external_source_version: is required; framework: is required"
    ) in listed


def test_the_registry_holds_the_models_and_the_bases_once_each(filled):
    with psycopg.connect(filled) as conn:
        assert conn.execute(
            "select count(*), count(distinct name), max(version_number) from atlas.models"
        ).fetchone() == (645, 645, 1)
        linked = "select count(*), count(distinct base_model_id) from atlas.models where base_model_id is not null"
        assert conn.execute(linked).fetchone() == (102, 97)


def test_every_record_is_kept_whole(filled, records):
    with psycopg.connect(filled) as conn:
        rows = conn.execute(
            "select name, extra -> 'catalogue_record' from atlas.models where extra ? 'catalogue_record'"
        )
        assert dict(rows.fetchall()) == records


def test_every_mapped_value_is_a_value_of_its_record(filled, records):
    with psycopg.connect(filled) as conn, Registry(conn) as registry:
        for name, record in records.items():
            found, model, collection = registry.get_model(name), record["model"], record["collection"] or {}
            inherited = collection.get("Metadata", {}) | model["Metadata"]
            results = model.get("Results") or []
            assert found.model_family == model["In Collection"]
            assert found.external_source_version == record["commit"]
            assert found.external_source_url == f"{record['repo']}/blob/{record['commit']}/{record['file']}"
            assert found.origin_url == model["Weights"]
            assert found.parameter_count == inherited["Parameters"]
            assert found.training_data == inherited.get("Training Data")
            assert {key: inherited[key] for key in found.declared_training_config or {}} == (
                found.declared_training_config or {}
            )
            measured = [value for r in results for value in (r["Metrics"] or {}).values() if value is not None]
            assert sorted((found.declared_metrics or {}).values()) == sorted(measured)


def test_a_converted_model_reads_as_its_record_says(registry):
    found = registry.get_model("swin-tiny_3rdparty_in1k")
    assert found.is_external is True
    assert found.model_family == "Swin-Transformer"
    assert found.framework == "PyTorch"
    assert found.parameter_count == 28290000
    assert found.training_data == "ImageNet-1k"
    assert found.evaluation_dataset == "ImageNet-1k"
    assert found.declared_metrics == {"Top 1 Accuracy": 81.18, "Top 5 Accuracy": 95.52}
    assert found.task == "Image Classification"
    assert found.license is None
    assert found.code_commit_sha is None


def test_a_base_reads_as_the_records_that_name_it_say(registry):
    url = "https://github.com/SwinTransformer/storage/releases/download/v1.0.0/swin_tiny_patch4_window7_224.pth"
    base = registry.get_model(url)
    assert base.artifact_id == registry.get_model("swin-tiny_3rdparty_in1k").base_model_id
    code = (
        "https://github.com/microsoft/Swin-Transformer/blob/777f6c66604bb5579086c4447efe3620344d95a9"
        "/models/swin_transformer.py#L458"
    )
    assert base.metadata == {
        "is_external": True,
        "model_family": "Swin-Transformer",
        "framework": "PyTorch",
        "external_source_url": url,
        "external_source_version": "v1.0.0",
        "extra": {"converted_from": [{"Weights": url, "Code": code}]},
    }


def test_two_results_keep_their_metrics_apart(registry):
    found = registry.get_model("blip-base_3rdparty_retrieval")
    assert found.declared_metrics == {
        "Image-To-Text Retrieval / COCO: Recall@1": 82.52,
        "Image-To-Text Retrieval / COCO: Recall@5": 95.34,
        "Text-To-Image Retrieval / COCO: Recall@1": 64.82,
        "Text-To-Image Retrieval / COCO: Recall@5": 86.28,
    }
    assert (found.evaluation_dataset, found.task) == ("COCO", None)


def test_a_metric_without_a_number_and_weights_that_were_not_published_are_left_out(registry):
    found = registry.get_model("hivit-small-p16_16xb64_in1k")
    assert (found.declared_metrics, found.origin_url) == (None, None)
    assert found.evaluation_dataset == "ImageNet-1k"


def test_a_model_of_a_collection_that_is_missing_keeps_the_name_of_its_collection(registry):
    assert registry.get_model("mff_vit-base-p16_8xb512-amp-coslr-300e_in1k").model_family == "MaskFeat"


def test_models_that_name_the_same_base_share_it(registry):
    names = ("twins-pcpvt-small_3rdparty_8xb128_in1k", "twins-svt-large_3rdparty_16xb64_in1k")
    assert len({registry.get_model(name).base_model_id for name in names}) == 1


def test_a_model_whose_base_lacks_a_version_is_registered_without_the_link(registry):
    found = registry.get_model("xcit-nano-12-p16_3rdparty_in1k")
    assert found.base_model_id is None
    assert found.extra["catalogue_record"]["model"]["Converted From"]["Weights"] == (
        "https://dl.fbaipublicfiles.com/xcit/xcit_nano_12_p16_224.pth"
    )


def test_run_again_it_registers_nothing(filled):
    lines = run(filled).splitlines()
    assert "models registered: 0 (548 stood there already)" in lines
    assert "bases registered: 0 (97 stood there already)" in lines


@pytest.mark.parametrize(
    ("url", "version"),
    [
        ("https://github.com/a/b/releases/download/v1.0/x.pth", "v1.0"),
        ("https://download.pytorch.org/models/densenet121-a639ec97.pth", "a639ec97"),
        ("https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth", None),
        ("https://huggingface.co/BAAI/EVA/blob/main/eva_psz14.pt", None),
        ("https://github.com/DingXiaoH/RepMLP", None),
        ("https://cloud.tsinghua.edu.cn/f/0201745f6920482490a0/?dl=1", None),
    ],
)
def test_a_version_is_read_from_a_url_only_where_it_stands(example, url, version):
    assert example.version_in_url(url) == version


def test_what_lacks_a_field_is_listed_and_the_rest_is_registered(example, database_url, records):
    good, bad = (json.loads(json.dumps(records[name])) for name in ("swin-tiny_16xb64_in1k", "resnet50-arcface_inshop"))
    bad["model"]["In Collection"] = None
    with Registry(database_url) as registry:
        report = example.register_catalogue(registry, [good, bad])
        assert registry.get_model("swin-tiny_16xb64_in1k").version_number == 1
    assert report.models_created == 1
    assert [(lacking.what, lacking.problems) for lacking in report.models_lacking] == [
        ("resnet50-arcface_inshop", ["model_family: is required"])
    ]


# --- as a file --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, str]:
    """The JSON Lines file that the example writes, and what it prints beside it."""
    path = tmp_path_factory.mktemp("catalogue") / "registrations.jsonl"
    command = [sys.executable, str(EXAMPLE), "--json-lines", str(CATALOGUE)]
    with path.open("wb") as file:
        ended = subprocess.run(command, check=True, stdout=file, stderr=subprocess.PIPE, text=True)
    return path, ended.stderr


@pytest.fixture(scope="module")
def filled_by_the_command(written, template_database, new_database) -> tuple[str, str]:
    """URL of another database with the catalogue in it, and what `atlas register` printed."""
    url = as_url(new_database(template_database))
    ended = atlas("register", str(written[0]), DATABASE_URL=url)
    assert (ended.returncode, ended.stderr) == (0, "")
    return url, ended.stdout


def test_the_command_prints_what_the_documentation_shows(filled_by_the_command):
    text = (ROOT / "docs" / "map_a_catalogue.md").read_text(encoding="utf-8")
    documented = re.search(r"^\$ [^\n]*atlas register registrations.jsonl\n(.*?)```", text, re.DOTALL | re.MULTILINE)[1]
    printed, shown = (re.sub(r"time: .*", "time", output) for output in (filled_by_the_command[1], documented))
    assert printed == shown
    assert printed.splitlines()[:5] == [
        "Done.",
        "records read: 645",
        "registered: 645",
        "recognised by their idempotency key: 0",
        "refused: 0",
    ]


def test_the_example_reports_the_same_counts_when_it_writes_a_file(output, written):
    as_registered = output.replace(" (0 stood there already)", "")
    assert written[1].replace(" written", " registered") == as_registered


COUNTS = """
    select
        count(*) filter (where extra ? 'catalogue_record') as models,
        count(*) filter (where extra ? 'converted_from') as bases,
        count(base_model_id) as linked,
        count(*) filter (
            where base_model_id is null and extra #>> '{catalogue_record,model,Converted From,Weights}' is not null
        ) as without_link,
        count(distinct name) as names
    from atlas.models
"""


def test_both_ways_register_the_same(filled, filled_by_the_command):
    by_client, by_command = (psycopg.connect(url) for url in (filled, filled_by_the_command[0]))
    with by_client, by_command:
        assert by_client.execute(COUNTS).fetchone() == (548, 97, 102, 252, 645)
        assert by_command.execute(COUNTS).fetchone() == (548, 97, 102, 252, 645)
        rows = "select name, version_number, metadata, origin_url from atlas.models order by name"
        assert by_client.execute(rows).fetchall() == by_command.execute(rows).fetchall()


def test_the_command_recognises_what_the_client_registered(filled, written):
    ended = atlas("register", "--json", str(written[0]), DATABASE_URL=as_url(filled))
    found = json.loads(ended.stdout)
    assert (ended.returncode, found["registered"], found["recognised"]) == (0, 0, 645)


@pytest.mark.parametrize("arguments", [["postgresql://user:s3cret@127.0.0.1:1/x"], ["nonsense s3cret"]])
def test_a_server_that_is_not_there_is_one_line_without_the_password(arguments):
    command = [sys.executable, str(EXAMPLE), *arguments, str(CATALOGUE)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "s3cret" not in ended.stderr
