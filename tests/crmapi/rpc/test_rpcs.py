"""Every RPC: it works, it reports missing objects and errors, and it checks permissions."""

from __future__ import annotations

import grpc
import pytest

from apps.crm.domain.access import ROLES, ROLES_WITH
from apps.crm.models import ApiCall
from apps.crmapi.grpc.servicers.table import RPCS
from tests.crmapi.rest.world import World
from tests.crmapi.rpc.calling import METHODS, RPC_OF, Refused, RpcClient, rpc_client
from tests.crmapi.rpc.cases import CASES
from tests.crmapi.rpc.world import make_rpc_world

pytestmark = pytest.mark.django_db
CODE = grpc.StatusCode


@pytest.fixture
def world() -> World:
    return make_rpc_world()


def test_every_rpc_of_the_protocol_is_served_permitted_and_tried():
    names = set(METHODS)
    assert len(names) == 46
    assert {rpc.name for rpc in RPCS} == {case.rpc for case in CASES} == names
    for rpc in RPCS:
        method = METHODS[rpc.name]
        assert rpc.request.DESCRIPTOR is method.input_type
        assert method.server_streaming == rpc.streams
        assert not method.client_streaming


def test_every_rpc_works_on_real_data(world):
    admin, wrong = rpc_client(world), []
    for case in CASES:
        try:
            found = admin.undone(case.rpc, case.works(world.names), key=f"works-{case.rpc}")
        except Refused as refused:
            wrong.append(f"{case.rpc}: {refused}")
            continue
        if not case.shows(world.names, found):
            wrong.append(f"{case.rpc} answered {found}")
    assert wrong == []


def test_every_rpc_names_a_missing_object(world):
    admin, wrong = rpc_client(world), []
    for case in CASES:
        try:
            found = admin.undone(case.rpc, case.missing, key="missing")
        except Refused as refused:
            # A plan or bundle that is not there is a field of the message that is wrong.
            fitting = refused.code is CODE.NOT_FOUND or (
                refused.code is CODE.INVALID_ARGUMENT and refused.fields and "Subscriber" in case.rpc
            )
            if case.empty or not fitting:
                wrong.append(f"{case.rpc}: {refused}")
            continue
        if not case.empty:
            wrong.append(f"{case.rpc} found {found}")
        elif case.rpc != "GetRefData" and [one for one in _listed(found) if one]:
            wrong.append(f"{case.rpc} listed {found}")
    assert wrong == []


def _listed(found: object) -> list[object]:
    if isinstance(found, list):
        return found
    return [list(value) for field, value in found.ListFields() if field.is_repeated]  # type: ignore[attr-defined]


def test_every_rpc_says_which_field_is_wrong(world):
    admin, wrong = rpc_client(world), []
    for case in CASES:
        if case.rpc == "GetRefData":
            # It takes nothing that could be wrong, but octets that are no message.
            continue
        request = type(case.wrong)()
        request.CopyFrom(case.wrong)
        if getattr(request, "id", 0) == 1:
            # An existing subscriber, so that only the field is wrong.
            request.id = world.names["prepaid"]
        try:
            found = admin.undone(case.rpc, request, key="wrong")
        except Refused as refused:
            if refused.code is not CODE.INVALID_ARGUMENT or case.field not in ["", *refused.fields]:
                wrong.append(f"{case.rpc}: {refused}, fields {refused.fields}")
            continue
        wrong.append(f"{case.rpc} answered {found}")
    assert wrong == []


def test_every_rpc_refuses_calls_without_a_token_and_malformed_messages(world):
    nobody, admin = RpcClient(token=""), rpc_client(world)
    for case in CASES:
        with pytest.raises(Refused) as refused:
            nobody.ask(case.rpc, case.works(world.names))
        assert (refused.value.code, refused.value.reason) == (CODE.UNAUTHENTICATED, "token_missing")
        with pytest.raises(Refused) as refused:
            admin.ask(case.rpc, b"\xff\xff\xff\xff")
        assert (refused.value.code, refused.value.reason) == (CODE.INVALID_ARGUMENT, "malformed_message")


def test_each_role_may_call_just_what_the_matrix_says(world):
    wrong = []
    for role in ROLES:
        caller = rpc_client(world, role)
        for case in CASES:
            allowed = role in ROLES_WITH[RPC_OF[case.rpc].operation.permission]
            try:
                caller.undone(case.rpc, case.works(world.names), key=f"{role}-{case.rpc}")
                done = True
            except Refused as refused:
                done = refused.code is not CODE.PERMISSION_DENIED
                if done and role != "self_care":
                    wrong.append(f"{role} {case.rpc}: {refused}")
            if done != allowed:
                wrong.append(f"{role} {'may' if done else 'may not'} {case.rpc}")
    assert wrong == []
    # Not a role at all, and a role of another program.
    with pytest.raises(Refused) as refused:
        _without_roles().ask("GetRefData")
    assert refused.value.code is CODE.PERMISSION_DENIED


def _without_roles() -> RpcClient:
    from apps.crm.domain.tokens import issue_token
    from apps.crm.services.authentication import platform_keys, token_rules
    from apps.kernel.clock import utc_now

    key = next(iter(platform_keys().values()))
    token = issue_token(
        key,
        token_rules(),
        utc_now(),
        subject="x",
        tenant="default",
        roles=["janitor"],
        lifetime_s=60,
        token_id="none",
    )
    return RpcClient(token=token)


def test_no_rpc_reaches_into_another_tenant(world):
    """Every call that works for a tenant's own things finds nothing of another's; lists hold none of them."""
    stranger, wrong = rpc_client(world, tenant="other"), []
    ours = {str(world.names["msisdn"]), world.names["serial"], "4915550000902"}
    for case in CASES:
        try:
            found = stranger.undone(case.rpc, case.works(world.names), key="stranger")
        except Refused as refused:
            known = refused.code in (CODE.NOT_FOUND, CODE.INVALID_ARGUMENT) or (
                refused.reason in ("voucher_refused", "not_free")
            )
            if not known:
                wrong.append(f"{case.rpc}: {refused}")
            continue
        if case.rpc in ("InsertVoucher",):
            # A batch of the stranger's own: nothing in the request names another's.
            continue
        if any(mark in str(found) for mark in ours):
            wrong.append(f"{case.rpc} showed {found}")
        if not case.empty and case.rpc != "GetSubscribers":
            wrong.append(f"{case.rpc} answered {found}")
    assert wrong == []
    data = stranger.ask("GetRefData")
    assert data.tenant == "other"
    assert [plan.code for plan in data.price_plans] == ["OTHER"]
    assert {one.number for one in stranger.ask("GetSubscribers")} == {"S77", "S78"}


def test_a_customer_sees_and_credits_no_other_subscriber(world):
    customer, wrong = rpc_client(world, "self_care"), []
    other = world.names["postpaid"]
    for case in CASES:
        if "self_care" not in ROLES_WITH[RPC_OF[case.rpc].operation.permission] or case.rpc == "GetRefData":
            continue
        request = case.works(world.names)
        for name in ("msisdn", "account_id", "bill_id"):
            if name in request.DESCRIPTOR.fields_by_name:
                request.ClearField(name)
        request.id = other
        with pytest.raises(Refused) as refused:
            customer.undone(case.rpc, request)
        if refused.value.code is not CODE.PERMISSION_DENIED:
            wrong.append(f"{case.rpc}: {refused.value}")
    assert wrong == []
    # Another subscriber's number and an unassigned one look the same.
    refusals = []
    for msisdn in ("4915550000902", "49999999999"):
        with pytest.raises(Refused) as refused:
            customer.ask("GetSubscriber", RPC_OF["GetSubscriber"].request(msisdn=msisdn))
        refusals.append(str(refused.value))
    assert refusals[0] == refusals[1]
    # No name means oneself.
    assert customer.ask("GetSubscriber").id == world.names["prepaid"]
    assert list(customer.ask("GetRefData").cities) == []


def test_what_is_changed_or_refused_is_recorded_with_who_did_it(world):
    rpc_client(world, subject="ada").ask(
        "SuspendSubscriber", RPC_OF["SuspendSubscriber"].request(id=world.names["prepaid"]), request_id="r-1"
    )
    recorded = ApiCall.objects.latest("pk")
    assert (recorded.door, recorded.operation, recorded.outcome) == ("grpc", "SuspendSubscriber", "ok")
    assert (recorded.client, recorded.subject, recorded.roles) == ("platform", "ada", "admin")
    assert recorded.target == f"subscriber {world.names['prepaid']}"
    assert (recorded.request_id, recorded.tenant.code) == ("r-1", "default")
    for who, expected in ((rpc_client(world), "wrong_status"), (rpc_client(world, "auditor"), "forbidden")):
        with pytest.raises(Refused):
            who.ask("SuspendSubscriber", RPC_OF["SuspendSubscriber"].request(id=world.names["prepaid"]))
        assert ApiCall.objects.latest("pk").outcome == expected
    count = ApiCall.objects.count()
    rpc_client(world).ask("GetRefData")
    assert ApiCall.objects.count() == count
