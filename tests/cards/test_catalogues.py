"""Cards and bills of whole catalogues: the eight example models, and the 548 of a public one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from huggingface_hub import ModelCard

import legacy_models
from atlas_models import Registry, example, migration_runner
from cards_as_read import take_apart

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT.parent / "shared" / "data" / "mmpretrain_models.jsonl"
STRICT = JsonStrictValidator(SchemaVersion.V1_6)

OF_THE_EXAMPLE = """---
license: apache-2.0
datasets:
- "Example cohort, version 1"
metrics:
- auroc
- sensitivity
tags:
- logistic regression
- scikit-learn
- internal
---

# AD Risk Prediction Model

- **Model:** AD Risk Prediction Model, version 1 (the latest)
- **Artifact id:** model-8479a365-0000-4000-8000-invented0004
- **Origin:** internal (trained here)
- **State:** promoted (adopted: column lifecycle_state says in service)
- **Lifecycle state:** in_service
- **Model family:** logistic regression
- **Framework:** scikit-learn
- **Parameters:** 24
- **Licence:** Apache-2.0
- **Registered:** 2025-02-14T16:20:03Z, said to be by agent-modeller

## Provenance

- **Code:** <https://github.com/example/risk>
- **Commit:** 0000000000000000000000000000000000000004
- **Training data:** Example cohort, version 1
- **Origin type:** in-house

## Metrics

- **Evaluation dataset, declared:** Example cohort, version 2

| metric | declared | measured last |
|---|---:|---:|
| auroc | 0.76 | — |
| sensitivity | 0.71 | — |

## Further facts

```json
{
    "numbers": "illustrative, not measured",
    "sklearn_version": "1.3.2"
}
```

## Not known

The registry does not say:

- what it is for (task)
- what it is (description)
- who trained it
- when it was trained
- with which parameters it was trained
- any measurement; the metrics above are declared
"""

WAITS = (
    "# Microglial Activation ODE (TREM2/APOE/IL-6)\n\n**A legacy model that waits for review**: 1 open question. "
    "What stands below is what its row says; none of it was validated.\n\n"
)


@pytest.fixture(scope="module")
def example_url(template_database: str, new_database: Callable[..., str]) -> str:
    """URL of the registry that `make migrate` makes: two of its eight models wait for a person."""
    assert template_database  # made first: it makes the roles
    url = new_database()
    assert example.lay_down(url, "atlas")
    migration_runner.migrate(url)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("call atlas.backfill_model_versions()")
    return url


def hold(registry: Registry, artifact_ids: list[str], *, one_in: int = 1) -> int:
    """Asserts that every card parses and every bill was found valid; looks at one in some more closely.

    Those are validated here too, and are the same when asked for again.

    Returns:
        How many of the cards have results.
    """
    with_results = 0
    for place, artifact_id in enumerate(artifact_ids):
        card, bill = registry.model_card(artifact_id), registry.bill_of_materials(artifact_id)
        front_matter, page, _ = take_apart(card)
        assert not {"script", "img", "iframe"} & page.tags
        if front_matter:
            # What Hugging Face's library makes of it is what stands there.
            data = ModelCard(card).data
            assert data.to_dict() == front_matter
            with_results += bool(data.eval_results)
        if place % one_in == 0:
            assert STRICT.validate_str(bill) is None
            again = registry.model_card(artifact_id), registry.bill_of_materials(artifact_id)
            assert again == (card, bill)
    return with_results


def test_the_card_of_an_example_model_reads_so(example_url):
    with Registry(example_url) as registry:
        assert registry.model_card("model-8479a365-0000-4000-8000-invented0004") == OF_THE_EXAMPLE


def test_a_legacy_model_gets_a_card_that_says_so(example_url):
    with Registry(example_url) as registry:
        card = registry.model_card("model-biophys-microglia-001")
        bill = json.loads(registry.bill_of_materials("model-biophys-microglia-001"))
    front_matter, page, text = take_apart(card)
    assert text.split("---\n")[-1].lstrip().startswith(WAITS)
    assert front_matter == {"datasets": ["Example cohort, version 1"], "tags": ["biophysical ODE"]}
    assert '"n_params": 31' in page.text
    assert '"parameters": "27"' in page.text
    assert "In no field that the registry could take over does the row say:" in page.text
    properties = {each["name"]: each["value"] for each in bill["metadata"]["component"]["properties"]}
    assert properties["atlas:metadata_schema_version"] == "0"
    assert "atlas:is_external" not in properties


ODD = (
    [1, 2],
    "text",
    None,
    {"task": {"a": 1}, "evaluation_metrics": [1], "training_data": {"a": 1}, "parameter_count": "many", "license": 7},
    {
        "evaluation_metrics": {"auroc": "0.9", "f1": 0.5},
        "training_data": ["a", 1, None],
        "extra": "x",
        "is_external": 1,
    },
)


def test_a_legacy_model_of_any_shape_gets_a_card_before_its_backfill(template_database, new_database):
    assert template_database  # made first: it makes the roles
    url = new_database()
    legacy_models.adopt(url, tuple({"id": f"odd-{n}", "title": "Odd", "metadata": odd} for n, odd in enumerate(ODD)))
    cards = []
    with psycopg.connect(url, autocommit=True) as conn:
        for number in range(len(ODD)):
            (text,) = conn.execute("select atlas.model_card(%s)", [f"odd-{number}"]).fetchone()
            cards.append(take_apart(text))
    assert ["A legacy model that waits for the backfill." in card.page.text for card in cards] == [True] * 5
    assert [card.front_matter for card in cards] == [None, None, None, None, {"datasets": ["a"], "metrics": ["f1"]}]
    assert "| f1 | 0.5 | — |" in cards[4].text


def test_every_example_model_has_a_card_and_a_bill(example_url):
    with Registry(example_url) as registry:
        models = registry.list_models(limit=100)
        assert len(models) == 8
        assert hold(registry, [model.artifact_id for model in models]) == 1


@pytest.mark.long
@pytest.mark.skipif(not CATALOGUE.is_file(), reason=f"the catalogue is not here: ../shared/data/{CATALOGUE.name}")
def test_every_model_of_a_public_catalogue_has_a_card_and_a_bill(template_database, new_database):
    url = new_database(template_database)
    command = [sys.executable, str(ROOT / "docs" / "examples" / "register_mmpretrain.py"), url, str(CATALOGUE)]
    subprocess.run(command, check=True, capture_output=True)
    with Registry(url) as registry:
        models = registry.list_models(limit=10000)
        assert len(models) == 645
        assert hold(registry, [model.artifact_id for model in models], one_in=10) == 460
