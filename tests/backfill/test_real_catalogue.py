"""31 documents of a public model zoo: none can be completed from what it says, and none is guessed."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from atlas_models.deployment_files import packaged_folder

ZOO = packaged_folder().parent / "shared" / "data" / "monai_zoo_metadata.jsonl"

pytestmark = pytest.mark.skipif(
    not ZOO.exists(), reason="the metadata of MONAI's model zoo do not stand beside this checkout (shared/data)"
)


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ZOO.read_text().splitlines()]


@pytest.fixture(scope="module")
def results(normalise, records) -> list[dict[str, Any]]:
    return [normalise(record["metadata"], {"title": record["metadata"]["name"]}) for record in records]


def test_all_31_wait_for_a_person(results):
    assert len(results) == 31
    assert [one["valid"] for one in results] == [False] * 31
    assert Counter(len(one["questions"]) for one in results) == {4: 20, 5: 11}


def test_what_is_asked(results):
    asked = Counter((question["field"], bool(question["readings"])) for one in results for question in one["questions"])
    assert asked == {
        ("model_family", False): 31,
        ("parameter_count", False): 31,
        ("evaluation_dataset", False): 31,
        ("training_data", True): 25,
        ("training_data", False): 6,
        ("evaluation_metrics", False): 11,
    }


def test_the_questions_about_one_of_them(records, results):
    (one,) = [result for record, result in zip(records, results, strict=True) if "prostate_mri" in record["file"]]
    said = {
        "title": "Prostate MRI anatomy",
        "/description": "A pre-trained model for volumetric (3D) segmentation of the prostate from MRI images",
    }
    assert one["questions"] == [
        {"field": "evaluation_dataset", "seen": said, "readings": [], "why": "nothing in the row says it"},
        {
            "field": "evaluation_metrics",
            "seen": {"/eval_metrics": {"mean_dice": {"central gland": 0.88, "peripheral zone": 0.75}}},
            "readings": [],
            "why": "/eval_metrics 'mean_dice' is no number",
        },
        {"field": "model_family", "seen": said, "readings": [], "why": "nothing in the row says it"},
        {"field": "parameter_count", "seen": said, "readings": [], "why": "nothing in the row says it"},
        {
            "field": "training_data",
            "seen": {"/data_source": "Prostate158 from 10.5281/zenodo.6481141"},
            "readings": ["Prostate158 from 10.5281/zenodo.6481141"],
            "why": "/data_source may say it, and nothing says it for certain",
        },
    ]


def test_what_is_known_of_all(results):
    assert {one["metadata"]["framework"] for one in results} == {"pytorch"}
    assert {one["metadata"]["is_external"] for one in results} == {False}


def test_nothing_is_lost(records, results):
    for record, result in zip(records, results, strict=True):
        metadata = result["metadata"]
        for key, value in record["metadata"].items():
            if key in ("task", "description", "license"):
                assert metadata[key] == value.strip()
            elif key == "eval_metrics" and "evaluation_metrics" in metadata:
                assert metadata["evaluation_metrics"] == value
            elif value != "":
                assert metadata["extra"][key] == value


def test_an_answer_for_each_question_completes_any_of_them(normalise, records):
    answers = {"parameter_count": 1, "training_data": "x", "evaluation_dataset": "y", "model_family": "z"}
    answers |= {"evaluation_metrics": {"dice": 0.5}}
    completed = [normalise(record["metadata"], {}, answers) for record in records]
    assert [(one["valid"], one["questions"]) for one in completed] == [(True, [])] * 31
