"""From a CCR to the request that every session manager makes."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from apps.charging.domain.requests import MoneyLimit, OnlineRequest, Operation, RequestItem
from apps.diameter.credit_control.ccr import CreditControlRequest
from apps.diameter.credit_control.policy import DEFAULT_CREDIT_CONTROL_POLICY, CreditControlPolicy
from apps.diameter.credit_control.service_map import ServiceMap


class ConnectedPeer(NamedTuple):
    """Whose connection a request came by: the client itself, or an agent in front of it."""

    host: str
    realm: str
    policy: CreditControlPolicy = DEFAULT_CREDIT_CONTROL_POLICY


def charging_request(
    ccr: CreditControlRequest,
    peer: ConnectedPeer,
    services: ServiceMap,
    now: datetime,
    retransmitted: bool = False,
) -> OnlineRequest:
    """The request for the charging room; its items are the parts of ``ccr``, in their order.

    ``retransmitted`` is its T flag.
    """
    items = []
    moves_money = ccr.operation is Operation.REFUND
    context, called, find_service = ccr.context, ccr.destination, services.service
    has_modes = services.has_modes
    for part in ccr.parts:
        rating_group, identifiers, requested, used, money = part
        identifier = identifiers[0] if isinstance(identifiers, list) else identifiers
        service = find_service(context, rating_group, identifier)
        item = RequestItem(service, called, requested, used, rating_group, identifier)
        if has_modes:
            item = item._replace(charging_mode=services.charging_mode(context, rating_group, identifier))
        if money is not None:
            moves_money = True
            # A session that reports money and asks for none asks for an amount of 0.
            asked_micros = 0 if money.asked_micros is None else money.asked_micros
            item = item._replace(
                money_micros=asked_micros,
                money_currency=money.currency,
                used_money_micros=money.used_micros,
            )
        items.append(item)
    subscriber, policy = ccr.subscriber, peer.policy
    route, client = _route_and_client(ccr.origin_host, ccr.origin_realm, peer.host)
    return OnlineRequest(
        ccr.operation,
        ccr.session_id,
        ccr.number,
        now if ccr.timestamp is None else _instant(ccr.timestamp),
        subscriber.msisdn,
        subscriber.imsi,
        tuple(items),
        _signed(ccr.sub_session) if ccr.sub_session else 0,
        route,
        None,
        retransmitted,
        f"@{peer.realm.lower()}" if policy.sessions_of_realm else client,
        subscriber.further,
        MoneyLimit(peer.host.lower(), policy.money_a_day_micros) if moves_money else None,
    )


def _signed(sub_session: int) -> int:
    """CC-Sub-Session-Id is Unsigned64; databases count to 2^63 - 1, and below zero."""
    return sub_session if sub_session < 1 << 63 else sub_session - (1 << 64)


@lru_cache(maxsize=1_000)
def _instant(unix_seconds: int) -> datetime:
    """Cached: many requests happen in the same second, and what follows from an instant is cached by it."""
    return datetime.fromtimestamp(unix_seconds, UTC)


@lru_cache(maxsize=10_000)
def _route_and_client(origin_host: str, origin_realm: str, connected_host: str) -> tuple[str, str]:
    """How the session's client is reached, and who it is to us.

    It is reached by its host, or by ``host/realm/agent`` through an agent. It is its host by the connection that its
    requests come by, since any peer may claim any Origin-Host.
    """
    host, realm, agent = (name.replace("/", "_") for name in (origin_host, origin_realm, connected_host))
    if host.lower() == agent.lower():
        return host, host.lower()
    return f"{host}/{realm}/{agent}", f"{host}/{agent}".lower()
