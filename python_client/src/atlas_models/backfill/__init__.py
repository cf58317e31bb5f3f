"""Takes legacy metadata into the registry's schema without loss and without guessing.

``readings``, ``numbers`` and ``code_links`` know what a value can mean, ``rules`` which key means which field, and
``normalisation`` what follows for a document. Their text, less their imports of each other, is placed into
``sql/10_validation/normalise_metadata.sql`` by :mod:`atlas_models.schema_codegen`, so the server answers as they do.
"""
