"""What an RPC is to the server: its messages, the permission it needs, and what is done for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from google.protobuf.message import Message

from apps.crm.domain.access import PERMISSION_OF_RPC, Caller


class RpcCall(NamedTuple):
    """One call, let in: who, when, its idempotency key (empty = none), where from."""

    caller: Caller
    now: datetime
    key: str = ""
    remote: str = ""
    request_id: str = ""

    @property
    def tenant(self) -> str:
        return self.caller.tenant

    @property
    def by(self) -> str:
        """Who is written down as having done it."""
        return self.caller.actor


class Outcome(NamedTuple):
    """The answer of an RPC that changed something, and what it was about, for the audit record."""

    message: Message
    target: str = ""


class Kind(Enum):
    """How an RPC is run."""

    READ = "read"
    """Changes nothing; gives a message."""
    STREAM = "stream"
    """Changes nothing; gives an iterator of messages."""
    CHANGE = "change"
    """Changes something, in one transaction with its audit record and the answer kept for repeats."""
    ONCE = "once"
    """Changes something and sees to its own transaction and repeats, by the idempotency key."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """An RPC: ``do(call, request)`` gives a message, an iterator of them or an :class:`Outcome`, by its kind."""

    name: str
    kind: Kind
    request: type[Message]
    do: Callable[[RpcCall, Any], Any]

    @property
    def permission(self) -> str:
        return PERMISSION_OF_RPC[self.name]
