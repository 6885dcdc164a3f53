"""Requests in nanoseconds: a session of voice that once counts them is charged in them to its end.

The rules are those of whole units. Services of voice are taken for ones whose type is ``voice:ns``, quotas so far and
policies are converted, and nothing else knows the difference but what pays.
"""

from __future__ import annotations

from collections.abc import Mapping

from apps.charging.domain.lines import ServiceInfo
from apps.charging.domain.requests import OnlineRequest
from apps.charging.domain.sessions import Session
from apps.charging.domain.state import Outcome, State
from apps.kernel.units import VOICE_NS, TypeOfRecord

_VOICE = TypeOfRecord.VOICE.value


def counts_nanoseconds(state: State, request: OnlineRequest) -> bool:
    """Whether the request, or its session so far, counts nanoseconds."""
    if state.session is not None:
        for meter in state.session.meters:
            if meter.in_ns:
                return True
    for item in request.items:
        if item.requested is not None and item.requested.time_ns is not None:
            return True
        for used in item.used:
            if used.units.time_ns is not None:
                return True
    return False


def in_nanoseconds(state: State) -> State:
    """The state, in which voice counts nanoseconds."""
    services = {
        code: service._replace(type_of_record=VOICE_NS) if service.type_of_record == _VOICE else service
        for code, service in state.config.services.items()
    }
    return state._replace(
        config=state.config._replace(services=services),
        session=None if state.session is None else _converted(state.session, services),
    )


def marked(outcome: Outcome, state: State) -> Outcome:
    """What came of such a state, with the quotas that count nanoseconds saying so."""
    session = outcome.session
    return (
        outcome
        if session is None
        else outcome._replace(session=_converted(session, state.config.services, marks=True))
    )


def _converted(session: Session, services: Mapping[str, ServiceInfo], *, marks: bool = False) -> Session:
    return session._replace(
        meters=tuple(
            (meter._replace(in_ns=True) if marks else meter.in_nanoseconds())
            if meter.service in services and services[meter.service].type_of_record == VOICE_NS
            else meter
            for meter in session.meters
        )
    )
