"""Python's form of proto/billing.proto; made by ``python -m apps.mediation.pb``, never edited by hand."""
