"""How credit control treats one peer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CreditControlPolicy:
    """What a peer understands, and what it may.

    ``tariff_time_change``: it splits used units at a Tariff-Time-Change; for one that does not, quotas are valid
    until the change at the longest. ``grants_in_octets``: of a grant it reads octets alone, so a grant of seconds is
    told as its validity, with octets enough not to end before. ``failure_handling``
    (Credit-Control-Failure-Handling) is said in answers to INITIAL requests, None = not said. ``session_failover``
    says that another server may take the session over. With ``redirect_as_refusal`` the indication to redirect or
    restrict at once comes with 4012 instead of success. ``free_services`` are services (by code) that cost nothing, of
    which it is told so (4011) instead of being given quotas.
    """

    tariff_time_change: bool = False
    grants_in_octets: bool = False
    failure_handling: int | None = None
    session_failover: bool = True
    redirect_as_refusal: bool = False
    free_services: frozenset[str] = frozenset()
    sessions_of_realm: bool = False
    money_a_day_micros: int = 0


DEFAULT_CREDIT_CONTROL_POLICY = CreditControlPolicy()
