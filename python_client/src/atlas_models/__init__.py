"""Atlas: a model registry that lives inside PostgreSQL."""

from atlas_models.errors import (
    AlreadyRegistered,
    AtlasError,
    ConnectionFailed,
    IdempotencyConflict,
    IllegalTransition,
    IncompleteModel,
    InvalidArgument,
    InvalidMetadata,
    KeptByDatabase,
    LineageError,
    NotAllowed,
    NotFound,
    OutOfTurn,
    Problem,
    RegistryMissing,
    RemovalRefused,
    StateChanged,
    UnknownReference,
)
from atlas_models.offline_validation import validate_metadata
from atlas_models.registry import Registry
from atlas_models.results import ModelVersion, Promotion, RegisteredModel, Registration, Transition

__version__ = "0.1.0.dev0"

__all__ = [
    "AlreadyRegistered",
    "AtlasError",
    "ConnectionFailed",
    "IdempotencyConflict",
    "IllegalTransition",
    "IncompleteModel",
    "InvalidArgument",
    "InvalidMetadata",
    "KeptByDatabase",
    "LineageError",
    "ModelVersion",
    "NotAllowed",
    "NotFound",
    "OutOfTurn",
    "Problem",
    "Promotion",
    "RegisteredModel",
    "Registration",
    "Registry",
    "RegistryMissing",
    "RemovalRefused",
    "StateChanged",
    "Transition",
    "UnknownReference",
    "__version__",
    "validate_metadata",
]
