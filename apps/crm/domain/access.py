"""Who may do what: roles and permissions. Every door asks here; nothing is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from apps.crm.domain.errors import Forbidden

PLATFORM_CLIENT = "platform"
"""The client of tokens that the platform's own keys signed."""
CRM_AGENT = "crm_agent"
BILLING = "billing"
AUDITOR = "auditor"
SELF_CARE = "self_care"
ADMIN = "admin"
ROLES = (CRM_AGENT, BILLING, AUDITOR, SELF_CARE, ADMIN)

# Permissions and their roles. self_care is a customer's own token: a permission marked for it holds for
# their own subscriber alone (Caller.subscriber_id), and use cases are given that restriction with the caller.
_MATRIX = """
permission                 crm_agent  billing  auditor  self_care  admin
subscribers.list           yes        yes      yes      -          yes
subscribers.read           yes        yes      yes      yes        yes
subscribers.create         yes        -        -        -          yes
subscribers.modify         yes        -        -        -          yes
subscribers.suspend        yes        yes      -        -          yes
subscribers.reactivate     yes        yes      -        -          yes
subscribers.terminate      yes        -        -        -          yes
resources.read             yes        -        yes      -          yes
usage.read                 yes        yes      yes      yes        yes
accounts.read              yes        yes      yes      yes        yes
balances.read              yes        yes      yes      yes        yes
balances.topup             yes        yes      -        -          yes
balances.adjust            -          yes      -        -          yes
bills.read                 yes        yes      yes      yes        yes
bills.reformat             -          yes      -        -          yes
bills.cancel               -          yes      -        -          yes
billing.execute            yes        yes      -        -          yes
billing.execute_cycle      -          yes      -        -          yes
payments.write             -          yes      -        -          yes
activities.read            yes        yes      yes      -          yes
statistics.read            yes        yes      yes      -          yes
reference.read             yes        yes      yes      yes        yes
rating.enquire             yes        yes      yes      yes        yes
notifications.read         yes        yes      yes      -          yes
notifications.acknowledge  yes        yes      -        -          yes
vouchers.read              yes        yes      yes      -          yes
vouchers.create            -          -        -        -          yes
vouchers.update            yes        -        -        -          yes
vouchers.redeem            yes        -        -        yes        yes
triggers.read              yes        yes      yes      -          yes
triggers.write             -          yes      -        -          yes
actions.read               yes        yes      yes      -          yes
actions.run                yes        yes      -        -          yes
tokens.issue_self_care     yes        -        -        -          yes
suspense.read              -          yes      yes      -          yes
suspense.write             -          yes      -        -          yes
audit.read                 -          -        yes      -          yes
"""


def _read_matrix(text: str) -> dict[str, frozenset[str]]:
    head, *lines = (line.split() for line in text.strip().splitlines())
    return {
        line[0]: frozenset(role for role, mark in zip(head[1:], line[1:], strict=True) if mark == "yes")
        for line in lines
    }


# Permission → the roles that have it.
ROLES_WITH: Mapping[str, frozenset[str]] = _read_matrix(_MATRIX)
PERMISSIONS = tuple(ROLES_WITH)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as a verified token says, and what holds for the client that sent it.

    ``tenant`` is the tenant's code; every row that a call sees or makes is of that tenant. ``subject`` is the person or
    program (claim ``sub``), ``client`` the API client whose key signed, ``token_id`` the ``jti`` or the token's hash.
    ``subscriber_id`` is set for self-care: data of others is never seen. Limits are calls a second, and at once.
    """

    tenant_id: int
    tenant: str
    subject: str
    client: str
    roles: frozenset[str]
    expires_at: datetime
    token_id: str = ""
    subscriber_id: int | None = None
    calls_a_second: float = 0.0
    burst: int = 0

    @property
    def only_own(self) -> bool:
        """Whether the caller sees their own subscriber alone (self-care and no other role)."""
        return self.subscriber_id is not None

    @property
    def owner_of_keys(self) -> str:
        """Among whose idempotency keys one of this caller's counts; up to 60 characters.

        A client's are its own, for any user it speaks for. People behind the platform's key, and customers, know
        nothing of each other and choose the same.
        """
        if self.client != PLATFORM_CLIENT and not self.only_own:
            return self.client
        who = f"{self.client}\0{self.subscriber_id if self.only_own else self.subject}"
        return f"{self.client[:40]}-{blake2b(who.encode(), digest_size=8).hexdigest()}"

    @property
    def actor(self) -> str:
        """Who is written down as having done it: ``client/subject``."""
        return f"{self.client}/{self.subject}"

    def may(self, permission: str) -> bool:
        """Whether any of the caller's roles has the permission."""
        return not self.roles.isdisjoint(ROLES_WITH[permission])


def demand(caller: Caller, permission: str) -> None:
    """Raise Forbidden unless the caller has the permission."""
    if not caller.may(permission):
        needed = ", ".join(role for role in ROLES if role in ROLES_WITH[permission])
        raise Forbidden(
            f"this needs the permission {permission}, which one of these roles has: {needed}; the token "
            f"has {', '.join(sorted(caller.roles)) or 'none'}",
            where=permission,
        )


def demand_own(caller: Caller, subscriber_id: int) -> None:
    """Raise Forbidden if the caller may see one subscriber only and this is another."""
    if caller.subscriber_id is not None and caller.subscriber_id != subscriber_id:
        raise Forbidden("a self-care token is for its own subscriber alone", where="subscriber")
