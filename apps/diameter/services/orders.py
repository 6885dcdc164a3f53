"""Sending sessions' orders as RAR and ASR, by the process that has the connection."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from apps.charging.models import SessionOrder
from apps.charging.services import session_orders
from apps.diameter.models import Connection
from apps.diameter.protocol.codes import ResultCode


class Route(NamedTuple):
    """How a session's client is reached."""

    host: str
    realm: str
    """Empty = that of the connected peer."""


def route_from_text(text: str) -> Route:
    """The client's host and realm, out of the route that ``credit_control.requests`` writes."""
    host, _, rest = text.partition("/")
    return Route(host, rest.partition("/")[0])


def take_orders(process_key: str, now: datetime) -> list[SessionOrder]:
    """The orders that this process can send, marked as sent; each is taken once, by any process."""
    hosts = Connection.objects.filter(process_id=process_key).values_list("peer_host", flat=True)
    return session_orders.take_orders(list(hosts), now)


def finish_order(order_id: int, result_code: int | None, detail: str, now: datetime) -> None:
    """Note the answer, or why there is none. A session that its client does not know is released."""
    done = result_code is not None and 2000 <= result_code < 3000
    is_unknown = result_code == ResultCode.UNKNOWN_SESSION_ID
    session_orders.finish_order(order_id, done, result_code, detail, now, is_unknown=is_unknown)
