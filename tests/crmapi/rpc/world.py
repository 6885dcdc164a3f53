"""The world of the REST door's tests, with what the CRM's calls need beside."""

from __future__ import annotations

from datetime import timedelta

from apps.kernel.clock import utc_now
from apps.rating.models import Tenant
from apps.rating.services.publishing import publish
from apps.subscribers.models import Resource, Subscriber
from apps.subscribers.services.lifecycle import suspend_subscriber
from tests.crmapi.rest.world import World, forget_everything, make_rest_world, write_document
from tests.factories import make_plan, make_subscriber
from tests.remembered import remembered

UNBILLED_CYCLE = 40
FREE_MSISDN = "4900000000001"


def make_rpc_world() -> World:
    """Beside the REST world: a suspended subscriber, a cycle that was never billed, and a free number."""
    forget_everything()
    world = remembered("rpc world", _make_rpc_world)
    write_document(world.names["bill"])
    return world


def _make_rpc_world() -> World:
    world = make_rest_world()
    now = utc_now()
    plan = make_plan("RPC", voice=(60_000, 100))
    publish(now)
    start = now - timedelta(days=100)
    suspended = make_subscriber(901, plan=plan, cycle=UNBILLED_CYCLE, start=start, mode="prepaid")
    suspend_subscriber(suspended.pk, now)
    make_subscriber(902, plan=plan, cycle=UNBILLED_CYCLE, start=start)
    Resource.objects.create(tenant=Tenant.objects.get(code="default"), kind="msisdn", value=FREE_MSISDN)
    world.names |= {
        "suspended": suspended.pk,
        "unbilled_msisdn": "4915550000902",
        "unbilled_cycle": UNBILLED_CYCLE,
        "free_msisdn": FREE_MSISDN,
    }
    others = Subscriber.objects.filter(tenant__code="other").order_by("pk")
    world.foreign |= {
        "suspended": others[0].pk,
        "unbilled_msisdn": world.foreign["msisdn"],
        "unbilled_cycle": world.foreign["cycle"],
        "pin": "1234567812345678",
        "own_pin": "1234567812345678",
    }
    return world
