"""How one peer is answered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnswerPolicy:
    """What a peer understands.

    ``tariff_time_change``: it splits used units at a Tariff-Time-Change; for one that does not, quotas are valid
    until the change at the longest. ``grants_in_octets``: of a grant it reads octets alone, so a grant of seconds is
    told as its validity, with octets enough not to end before. ``failure_handling``
    (Credit-Control-Failure-Handling) is said in answers to INITIAL requests, None = not said. ``session_failover``
    says that another server may take the session over. ``free_services`` are services (by code) that cost nothing, of
    which it is told so (4011) instead of being given quotas.
    """

    tariff_time_change: bool = False
    grants_in_octets: bool = False
    failure_handling: int | None = None
    session_failover: bool = True
    free_services: frozenset[str] = frozenset()


DEFAULT_ANSWER_POLICY = AnswerPolicy()
