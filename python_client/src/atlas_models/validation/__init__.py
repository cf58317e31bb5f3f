"""Validation of model metadata, one source for the database and for Python.

``engine`` and ``metadata`` import nothing of this package: their text is placed into the PL/Python
bodies under ``sql/`` by :mod:`atlas_models.schema_codegen`, so the server answers exactly as they do here.
"""
