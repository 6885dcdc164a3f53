"""A client of every RPC that proto/crm.proto declares, made from the protocol and not from the server's table."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from apps.crmapi.grpc.pb import crm_pb2

SERVICE = crm_pb2.DESCRIPTOR.services_by_name["CRMService"]


class CrmStub:
    """An attribute for each RPC, called as those of a generated stub are."""

    def __init__(self, channel: grpc.Channel) -> None:
        for method in SERVICE.methods:
            make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
            call = make(
                f"/{SERVICE.full_name}/{method.name}",
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            setattr(self, method.name, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"proto/crm.proto declares no RPC {name}")
