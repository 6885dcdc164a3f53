"""The door answers or refuses any octets and values; a fault of its own is never the answer."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.crmapi.grpc.servicers.table import RPCS
from tests.crmapi.rest.world import World
from tests.crmapi.rpc.calling import RPC_OF, Refused, RpcClient, rpc_client
from tests.crmapi.rpc.cases import CASES
from tests.crmapi.rpc.world import make_rpc_world

pytestmark = pytest.mark.django_db
FAULTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE)

EDGES_64 = st.sampled_from([0, 1, -1, 2**31, 2**63 - 1, -(2**63), 253_402_300_800, 10**17]) | st.integers(
    -(2**63), 2**63 - 1
)
EDGES_32 = st.sampled_from([0, 1, 12, 13, -1, 2026, 2**31 - 1, -(2**31)]) | st.integers(-(2**31), 2**31 - 1)
TEXTS = st.sampled_from(
    ["", "\0", "x" * 500, "😀", "%", "'; --", "voice", "4915550000902", "+49 155", "*any", "2026-02-30", "٣"]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = {
    FieldDescriptor.CPPTYPE_INT64: EDGES_64,
    FieldDescriptor.CPPTYPE_INT32: EDGES_32,
    FieldDescriptor.CPPTYPE_ENUM: st.integers(-2, 9),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(allow_nan=True, allow_infinity=True),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
}


def _value(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        return _messages(field.message_type, depth + 1)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.binary(max_size=20) if field.type == FieldDescriptor.TYPE_BYTES else TEXTS
    return VALUES[field.cpp_type]


@st.composite
def _messages(draw: st.DrawFn, kind: Descriptor, depth: int = 0) -> Message:
    message = GetMessageClass(kind)()
    fields = list(kind.fields) if depth < 3 else []
    chosen = draw(st.lists(st.sampled_from(fields), max_size=6, unique_by=lambda f: f.name)) if fields else []
    for field in chosen:
        value = _value(field, depth)
        if field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(value, max_size=3)))
        elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            getattr(message, field.name).CopyFrom(draw(value))
        else:
            setattr(message, field.name, draw(value))
    return message


CALLS = st.sampled_from(RPCS).flatmap(
    lambda rpc: st.tuples(st.just(rpc.name), _messages(rpc.request.DESCRIPTOR))
)


@pytest.fixture
def world() -> World:
    return make_rpc_world()


def _survives(caller: RpcClient, name: str, request: Message | bytes) -> None:
    refusal: Refused | None = None
    try:
        caller.undone(name, request, key="fuzz")
    except Refused as refused:
        refusal = refused
    assert refusal is None or refusal.code not in FAULTS, f"{name} {request!r}: {refusal}"


def test_no_message_however_odd_is_answered_by_a_fault(world):
    caller = rpc_client(world)
    # The same world for all examples: what each does is taken back.
    known = [
        *(
            world.names[name]
            for name in ("prepaid", "postpaid", "bill", "batch", "account", "suspended", "notification")
        ),
    ]

    @settings(max_examples=300, suppress_health_check=list(HealthCheck), database=None)
    @given(CALLS, st.sampled_from(known))
    def holds(call: tuple[str, Message], subscriber_id: int) -> None:
        name, request = call
        _survives(caller, name, request)
        # The rest of the message is looked at only where what it names is there.
        for field in ("id", "bill_id", "batch_id"):
            if field in request.DESCRIPTOR.fields_by_name:
                setattr(request, field, subscriber_id)
        if name in ("ModifySubscriber",):
            request.subscriber.id = subscriber_id  # type: ignore[attr-defined]
            request.msisdn = ""  # type: ignore[attr-defined]
        _survives(caller, name, request)

    holds()


def test_no_octets_however_broken_are_answered_by_a_fault(world):
    caller = rpc_client(world)
    valid = {case.rpc: case.works(world.names).SerializeToString() for case in CASES}

    @settings(max_examples=150, suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(sorted(RPC_OF)), st.binary(max_size=60), st.integers(0, 60), st.booleans())
    def holds(name: str, octets: bytes, place: int, mutated: bool) -> None:
        body = valid[name]
        raw = body[:place] + octets[:3] + body[place + 1 :] if mutated else octets
        _survives(caller, name, raw)

    holds()
