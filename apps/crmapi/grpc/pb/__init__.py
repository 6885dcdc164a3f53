"""Python's form of proto/crm.proto; made by ``python -m apps.crmapi.grpc.pb``, never edited by hand."""
