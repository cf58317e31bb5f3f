"""What people type to mean a model version: its id, the beginning of it, its name, or its name and number."""

from __future__ import annotations

from atlas_models.errors import Ambiguous, NotFound, Problem
from atlas_models.registry import Registry
from atlas_models.results import ModelSummary


def find_artifact(registry: Registry, reference: str) -> str:
    """Finds the artifact that a person means, and says in few lines when there is none.

    Args:
        registry: Where to look.
        reference: An artifact id, a name, ``name@number``, or the beginning of an artifact id.

    Returns:
        The artifact id.

    Raises:
        NotFound: There is none; the hint names the nearest names.
        Ambiguous: The beginning of an id fits several; ``problems`` lists them.
    """
    try:
        return registry.resolve(reference)
    except NotFound as error:
        error.problems = []  # that it is nothing of all that it could be
        raise
    except Ambiguous as error:
        error.problems = [Problem("", message) for _, message in error.problems]
        raise


def find_version(registry: Registry, reference: str, *, of_a_name: str = "latest") -> ModelSummary:
    """Finds the model version that a person means.

    Args:
        registry: Where to look.
        reference: As for :func:`find_artifact`.
        of_a_name: Which version a name alone means: ``latest`` or ``promoted``.

    Returns:
        The version.

    Raises:
        NotFound, Ambiguous: As for :func:`find_artifact`, or what is meant is no model.
    """
    if of_a_name == "promoted" and registry.list_models(reference, limit=1):
        if promoted := registry.list_models(reference, promotion_state="promoted"):
            return promoted[0]
        raise NotFound(f"no version of {reference} is promoted", hint=f"atlas list {reference} shows its versions")
    artifact_id = find_artifact(registry, reference)
    found = registry.list_models(artifact_id=artifact_id)
    if not found:
        raise NotFound(f"{artifact_id} is no model", hint="atlas lineage shows what was evaluated on it")
    return found[0]
