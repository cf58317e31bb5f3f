"""register_models(): any number of models, all or none, whatever the size of the chunks."""

from __future__ import annotations

import pytest

from atlas_models import (
    InvalidArgument,
    InvalidMetadata,
    LineageError,
    RegisteredModel,
    Registration,
    Registry,
    UnknownReference,
)


def count(conn):
    return conn.execute("select count(*) from atlas.models").fetchone()[0]


def test_results_come_in_the_order_of_the_input(registry, internal):
    names = ["b", "a", "b", "c", "b"]
    made = registry.register_models(
        (Registration(name=name, metadata=internal, artifact_id=f"m{place}") for place, name in enumerate(names)),
        chunk_size=2,
    )
    assert made == [
        RegisteredModel("m0", 1, True),
        RegisteredModel("m1", 1, True),
        RegisteredModel("m2", 2, True),
        RegisteredModel("m3", 1, True),
        RegisteredModel("m4", 3, True),
    ]


def test_mappings_and_registrations_mix(registry, internal):
    made = registry.register_models([{"name": "a", "metadata": internal}, Registration(name="a", metadata=internal)])
    assert [model.version_number for model in made] == [1, 2]


def test_nothing_to_register_is_no_call(registry):
    registry.close()
    assert registry.register_models([]) == []


def test_a_model_refused_in_a_later_chunk_undoes_the_earlier_ones(registry, conn, internal):
    batch = [{"name": "good", "metadata": internal}] * 4 + [{"name": "bad", "metadata": {"is_external": False}}]
    with pytest.raises(InvalidMetadata):
        registry.register_models(batch, chunk_size=2)
    assert count(conn) == 0


def test_an_autocommit_connection_of_the_caller_undoes_the_earlier_chunks_too(conn, internal):
    batch = [{"name": "good", "metadata": internal}] * 2 + [{"name": "bad", "metadata": {}}]
    with pytest.raises(InvalidMetadata):
        Registry(conn).register_models(batch, chunk_size=1)
    assert count(conn) == 0


def test_problems_name_the_place_in_the_whole_input(registry, internal):
    broken = {key: value for key, value in internal.items() if key != "framework"}
    batch = [{"name": "good", "metadata": internal}] * 3 + [{"name": "bad", "metadata": broken}] * 2
    with pytest.raises(InvalidMetadata) as caught:
        registry.register_models(batch, chunk_size=3)
    assert caught.value.constraint == "artifacts_metadata_valid"
    assert caught.value.problems == [("/3/metadata/framework", "is required"), ("/4/metadata/framework", "is required")]


def test_the_class_of_the_error_is_that_of_the_first_model_refused(registry, internal):
    batch = [
        {"name": "good", "metadata": internal},
        {"name": "orphan", "metadata": internal | {"base_model_id": "nope"}},
        {"name": "bad", "metadata": {}},
    ]
    with pytest.raises(UnknownReference) as caught:
        registry.register_models(batch)
    assert caught.value.problems == [
        ("/1/metadata/base_model_id", "no such artifact"),
        ("/2/metadata/is_external", "is required"),
    ]


def test_a_key_that_is_no_parameter_is_refused(registry, internal):
    with pytest.raises(InvalidArgument) as caught:
        registry.register_models([{"name": "a", "metadata": internal}, {"name": "a", "metadata": internal, "nmae": 1}])
    assert caught.value.problems == [("/1/nmae", "is not a parameter of register_model()")]


def test_a_value_that_cannot_be_sent_stops_everything_before_the_first_chunk(connect, internal):
    caller = connect(autocommit=False)
    batch = [
        {"name": "good", "metadata": internal},
        {"name": "bad", "metadata": internal | {"extra": {"x": float("nan")}}},
    ]
    with pytest.raises(InvalidMetadata) as caught:
        Registry(caller).register_models(batch, chunk_size=1)
    assert caught.value.problems == [("/1/metadata/extra/x", "must be a finite number")]
    caller.commit()
    assert count(connect()) == 0


def test_an_iterable_that_fails_leaves_nothing_behind(connect, internal):
    def models():
        yield {"name": "good", "metadata": internal}
        raise KeyError("the source broke off")

    caller = connect(autocommit=False)
    with pytest.raises(KeyError):
        Registry(caller).register_models(models(), chunk_size=1)
    caller.commit()
    assert count(connect()) == 0


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("name", ("/0", "must be a Registration or a mapping of register_model's arguments")),
        ({"name": 3}, ("/0/name", "must be text")),
        ({"name": "a", "is_external": "yes"}, ("/0/is_external", "must be True or False")),
        ({"name": "a", "training_started_at": "2026-01-01"}, ("/0/training_started_at", "must be a datetime")),
        (
            {"name": "a", "training_params_json": {"x": set()}},
            ("/0/training_params_json/x", "is of the type set, which JSON does not have"),
        ),
        ({"name": "a\0"}, ("/0/name", "holds a NUL character, which PostgreSQL cannot store")),
        ({1: "a"}, ("/0", "has a key that is not text")),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_place(registry, model, problem):
    with pytest.raises(InvalidArgument) as caught:
        registry.register_models([model])
    assert caught.value.problems == [problem]


def test_a_chunk_holds_at_least_one_model(registry, internal):
    with pytest.raises(InvalidArgument, match="chunk_size"):
        registry.register_models([{"name": "a", "metadata": internal}], chunk_size=0)


def test_a_base_may_stand_before_its_models_in_another_chunk(registry, internal, external):
    base = {"name": "base", "metadata": external, "artifact_id": "the-base"}
    derived = {"name": "derived", "metadata": internal | {"base_model_id": "the-base"}}
    registry.register_models([base, derived], chunk_size=1)
    assert registry.get_model("derived").base_model_id == "the-base"


def test_keys_given_twice_register_nothing_twice(registry, conn, internal):
    batch = [{"name": "a", "metadata": internal, "idempotency_key": str(n)} for n in range(3)]
    first = registry.register_models(batch)
    again = registry.register_models(batch)
    assert [model.artifact_id for model in again] == [model.artifact_id for model in first]
    assert [model.created for model in again] == [False, False, False]
    assert count(conn) == 3


def test_a_refusal_without_a_constraint_has_none(registry, internal):
    with pytest.raises(LineageError) as caught:
        registry.register_models([{"name": "a", "metadata": internal, "artifact_id": "x", "parent_version_id": "x"}])
    assert caught.value.constraint is None
    assert caught.value.problems == [("/0/parent_version_id", "x is this version itself")]
