"""Which name and which artifact somebody means."""

from __future__ import annotations

import psycopg
import pytest

from factories import register


def names(registry, word: str, most: int = 5) -> list[str]:
    return [row[0] for row in registry.execute("select name from suggest_names(%s, %s)", [word, most])]


def test_the_nearest_names_come_first(registry):
    assert names(registry, "credit-rsik") == ["credit-risk"]
    assert names(registry, "CREDIT-RISK2") == ["credit-risk"]
    assert names(registry, "credit") == ["credit-risk", "credit-limit"]
    assert names(registry, "xcrop-diseas") == ["crop-disease"]
    assert names(registry, "credit", 1) == ["credit-risk"]
    assert names(registry, "") == names(registry, "nothing like it") == []
    assert registry.execute("select * from suggest_names('vit')").fetchone() == ("vit", 1)


def resolve(registry, reference: str | None) -> str:
    return registry.execute("select resolve_artifact(%s)", [reference]).fetchone()[0]


def test_an_id_a_name_a_version_and_the_beginning_of_an_id_are_understood(registry):
    register(registry, "risk-1", artifact_id="named-like-an-id")
    assert resolve(registry, "risk-2") == "risk-2"
    assert resolve(registry, "risk-1") == "risk-1"
    assert resolve(registry, "credit-risk") == "risk-2"
    assert resolve(registry, "credit-risk@1") == "risk-1"
    assert resolve(registry, "risk-1@1") == "named-like-an-id"
    assert resolve(registry, "lim") == "limit-1"
    assert resolve(registry, "datas") == "dataset-fields"


def test_the_beginning_of_several_ids_is_refused_with_the_candidates(registry):
    with pytest.raises(psycopg.Error) as caught, registry.transaction():
        resolve(registry, "cro")
    assert caught.value.sqlstate == "P0003"
    assert caught.value.diag.message_detail == (
        "/reference: crop-1 (crop-disease@1)\n/reference: crop-2 (crop-disease@2)"
    )
    register(registry, "many", artifact_id="many-0")
    for n in range(1, 12):
        register(registry, "many", artifact_id=f"many-{n}")
    with pytest.raises(psycopg.Error) as caught, registry.transaction():
        resolve(registry, "many-")
    lines = caught.value.diag.message_detail.splitlines()
    assert (len(lines), lines[-1]) == (11, "/reference: and more")


@pytest.mark.parametrize(
    "reference", ["credit-rsik", "credit-risk@7", "cr", "zzz", "", None, "credit-risk@99999999999"]
)
def test_what_means_nothing_is_refused(registry, reference):
    with pytest.raises(psycopg.Error) as caught, registry.transaction():
        resolve(registry, reference)
    assert caught.value.sqlstate == "P0002"
    assert caught.value.diag.message_hint


def test_the_nearest_names_are_suggested_for_what_means_nothing(registry):
    with pytest.raises(psycopg.Error) as caught, registry.transaction():
        resolve(registry, "crop-desease")
    assert caught.value.diag.message_hint == "Did you mean crop-disease?"
