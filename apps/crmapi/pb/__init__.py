"""Python's form of proto/crm.proto; made by ``python -m apps.crmapi.pb``, never edited by hand."""
