"""What an operation is: who may do it, what it takes and gives, and how it is run. Doors are projections of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar, get_type_hints

from apps.crm.domain.access import Caller, demand
from apps.crm.domain.errors import Forbidden

I = TypeVar("I")  # noqa: E741 - input, beside O for output
O = TypeVar("O")  # noqa: E741


class Kind(StrEnum):
    """How an operation is run."""

    READ = "read"
    """Changes nothing."""
    CHANGE = "change"
    """Runs in one transaction with its audit record and the answer kept for repeats."""
    ONCE = "once"
    """Has its own transactions and finds repeats itself by the idempotency key: a refusal must be remembered."""


class Audience(StrEnum):
    """Which tokens an operation is for, beside their roles."""

    STAFF = "staff"
    """Not for customers' own tokens, with any roles."""
    OWN = "own"
    """A customer's own token sees its own subscriber and account alone, and need not name them."""
    EVERYBODY = "everybody"
    """The same for all callers of a tenant."""


class Call(NamedTuple):
    """One call that was let in. ``operation`` is its name at the door: the RPC, or method and route.

    ``key`` is the idempotency key, empty if none was sent; ``request`` tells a repeat from another call with it.
    """

    caller: Caller
    now: datetime
    door: str
    operation: str
    key: str = ""
    request: bytes = b""
    remote: str = ""
    request_id: str = ""

    @property
    def tenant(self) -> str:
        return self.caller.tenant

    @property
    def by(self) -> str:
        """Who is written down as having done it."""
        return self.caller.actor


class Done(NamedTuple):
    """What a change was about, and whether it had been done before under the call's key."""

    target: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Operation(Generic[I, O]):
    """A row of the table. ``do`` takes plain values and gives ``output``: a value, a list, or an iterator of values.

    ``about`` is a template of what a change was about, for the audit record ("subscriber {found.id}"). ``kept`` makes
    the part of a show-once answer that is kept for repeats. ``needs_key``: without an idempotency key it is refused.
    ``repeated`` says of what an operation of the kind ``once`` gave whether it had been done before.
    """

    name: str
    kind: Kind
    permission: str
    audience: Audience
    input: type[I]
    output: Any
    do: Callable[[Call, I], O]
    about: str
    kept: Callable[[O], O] | None
    needs_key: bool
    repeated: Callable[[O], bool] | None

    def target(self, asked: I, found: O) -> str:
        """What a change was about, for the audit record."""
        return self.about.format(asked=asked, found=found)


def operation(
    name: str,
    kind: Kind,
    permission: str,
    audience: Audience,
    do: Callable[[Call, I], O],
    about: str = "",
    kept: Callable[[O], O] | None = None,
    needs_key: bool = False,
    repeated: Callable[[O], bool] | None = None,
) -> Operation[I, O]:
    """The operation that ``do`` carries out; what it takes and gives is what ``do`` says."""
    hints = get_type_hints(do)
    taken = [hint for parameter, hint in hints.items() if parameter not in ("call", "return")]
    return Operation(
        name, kind, permission, audience, taken[0], hints["return"], do, about, kept, needs_key, repeated
    )


def permit(operation: Operation[Any, Any], caller: Caller) -> None:
    """Raise Forbidden unless the caller may do it."""
    demand(caller, operation.permission)
    if operation.audience is Audience.STAFF and caller.only_own:
        raise Forbidden("a customer's own token is not for this", where=operation.permission)
