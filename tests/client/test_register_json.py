"""register_json(): an array that is JSON already goes to the database as it is."""

from __future__ import annotations

import json

import pytest

from atlas_models import InvalidArgument, RegisteredModel, UnknownReference, calls, offline_validation


def test_an_array_is_registered_in_its_order(registry, internal):
    models = [{"name": "a", "metadata": internal, "artifact_id": f"m{place}"} for place in range(2)]
    assert registry.register_json(json.dumps(models)) == [
        RegisteredModel("m0", 1, True),
        RegisteredModel("m1", 2, True),
    ]


def test_what_is_refused_is_named_by_its_place(registry, internal):
    models = [{"name": "a", "metadata": internal}, {"name": "b", "metadata": internal, "parent_version_id": "nowhere"}]
    with pytest.raises(UnknownReference, match="1 of 2 models cannot be registered") as caught:
        registry.register_json(json.dumps(models))
    assert caught.value.problems == [("/1/parent_version_id", "there is no artifact nowhere")]


def test_what_is_no_json_is_an_invalid_argument(registry):
    with pytest.raises(InvalidArgument):
        registry.register_json("[{")


def test_the_registry_and_this_package_have_the_same_metadata_schema(registry):
    assert registry.metadata_schema_version() == offline_validation.metadata_schema_version() == 1


def test_chunks_are_made_when_they_are_asked_for():
    read = []

    def texts():
        for text in ("a", "b", "c"):
            read.append(text)
            yield text

    chunks = calls.chunked(texts(), 1, len)
    assert read == []
    assert (next(chunks), read) == (["a"], ["a", "b"])
    assert list(chunks) == [["b"], ["c"]]


def test_a_chunk_ends_where_the_text_would_be_too_much(monkeypatch):
    monkeypatch.setattr(calls, "MAX_CHUNK_BYTES", 5)
    assert list(calls.chunked(["aaa", "bb", "c", "dddddddd", "e"], 100, len)) == [
        ["aaa", "bb"],
        ["c"],
        ["dddddddd"],
        ["e"],
    ]
