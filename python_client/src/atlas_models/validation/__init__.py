"""Validation of model metadata, one source for the database and for Python.

The text of ``quick_start``, ``engine``, ``limits`` and ``metadata``, less their imports of each other, is placed into
the PL/Python bodies under ``sql/`` by :mod:`atlas_models.schema_codegen`: the server answers exactly as they do here.
"""
