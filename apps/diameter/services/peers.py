"""Letting peers in, one connection each, whichever process they come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction

from apps.diameter.credit_control.policy import CreditControlPolicy
from apps.diameter.models import Connection, Peer, ServerProcess
from apps.diameter.protocol.codes import ResultCode
from apps.diameter.protocol.node import PeerPolicy
from apps.kernel.money import MICROS_PER_UNIT

DEAD_AFTER = timedelta(seconds=15)
"""A process whose heartbeat is older than this owns nothing any more."""


class Admission(NamedTuple):
    """The terms on which a peer was let in."""

    policy: PeerPolicy
    answers: CreditControlPolicy
    is_configured: bool


class Refusal(NamedTuple):
    """Why a peer is turned away."""

    result_code: int
    message: str


NOT_CONFIGURED = Refusal(ResultCode.UNKNOWN_PEER, "this peer is not configured here")


@dataclass(frozen=True)
class InDoubt:
    """The peer has a connection, whose owner is asking whether the peer is still there: try again soon."""


class Visitor(NamedTuple):
    """A peer that has introduced itself."""

    host: str
    realm: str
    product_name: str
    remote: str
    secured: bool
    token: str
    certificate_names: frozenset[str] | None = None
    """Whom its certificate is for, in small letters; None = it showed none."""


class Here(NamedTuple):
    """This process, and how to tell whether another one of this machine still runs."""

    key: str
    machine: str
    pid: int
    runs: Callable[[int], bool]


def register_process(here: Here, origin_host: str, address: str, now: datetime) -> None:
    """Make the process known; those that died are forgotten with what they owned."""
    forget_dead_processes(here, now)
    ServerProcess.objects.create(
        key=here.key,
        origin_host=origin_host,
        address=address,
        machine=here.machine,
        pid=here.pid,
        started_at=now,
        heartbeat_at=now,
    )


def beat(here: Here, now: datetime) -> bool:
    """Say that the process lives. False if it was taken for dead meanwhile: its connections may have new owners."""
    alive = ServerProcess.objects.filter(key=here.key).update(heartbeat_at=now) == 1
    forget_dead_processes(here, now)
    return alive


def forget_process(key: str) -> None:
    """The process ends; its connections are gone."""
    ServerProcess.objects.filter(key=key).delete()


def forget_dead_processes(here: Here, now: datetime) -> None:
    """Those of other machines once their heartbeat stands still; those of this one as soon as they do not run."""
    ServerProcess.objects.filter(heartbeat_at__lt=now - DEAD_AFTER).delete()
    others = ServerProcess.objects.filter(machine=here.machine).exclude(key=here.key)
    gone = [key for key, pid in others.values_list("key", "pid") if not here.runs(pid)]
    if gone:
        ServerProcess.objects.filter(key__in=gone).delete()


def admit(
    here: Here, visitor: Visitor, unknown_refused: Refusal | None, again: bool, now: datetime
) -> Admission | Refusal | InDoubt:
    """Let a peer in and note who owns its connection, or say why not.

    Where the peer is connected already, that connection is marked to be asked whether it still lives. The visitor
    comes ``again`` until it has its place or the other one has answered. ``unknown_refused`` says why a peer that is
    not configured is turned away; None lets it in.
    """
    host = visitor.host.lower()
    peer = Peer.objects.filter(host=host).first()
    if peer is None and unknown_refused is not None:
        return unknown_refused
    if peer is not None:
        if not peer.enabled:
            return Refusal(ResultCode.UNKNOWN_PEER, f"{visitor.host} is disabled here")
        if peer.realm and peer.realm != visitor.realm.lower():
            return Refusal(ResultCode.UNKNOWN_PEER, f"{visitor.host} is not of the realm {visitor.realm}")
        if peer.requires_tls and not visitor.secured:
            return Refusal(ResultCode.NO_COMMON_SECURITY, f"{visitor.host} has to use TLS")
    if visitor.certificate_names is not None and host not in visitor.certificate_names:
        return Refusal(ResultCode.UNKNOWN_PEER, f"the certificate is not {visitor.host}'s")
    refused = _take_connection(here, host, visitor, again, now)
    return _terms(peer) if refused is None else refused


def leave(process_key: str, token: str) -> None:
    """The connection is gone. One that took its place stays."""
    Connection.objects.filter(process_id=process_key, token=token).delete()


def doubted(process_key: str) -> list[str]:
    """Tokens of this process's connections that are to be asked whether their peer is still there."""
    rows = Connection.objects.filter(process_id=process_key, probe=True)
    return list(rows.values_list("token", flat=True))


def trust(process_key: str, tokens: Sequence[str]) -> None:
    """The peers of these connections have answered."""
    Connection.objects.filter(process_id=process_key, token__in=tokens).update(probe=False)


def _take_connection(
    here: Here, host: str, visitor: Visitor, again: bool, now: datetime
) -> Refusal | InDoubt | None:
    present = Connection.objects.filter(peer_host=host)
    forget_dead_processes(here, now)
    if again and (in_doubt := present.values_list("probe", flat=True).first()) is not None:
        return InDoubt() if in_doubt else _connected_already(visitor)
    try:
        with transaction.atomic():
            Connection.objects.create(
                peer_host=host,
                peer_realm=visitor.realm.lower(),
                process_id=here.key,
                token=visitor.token,
                remote=visitor.remote,
                secured=visitor.secured,
                product_name=visitor.product_name[:255],
                opened_at=now,
            )
    except IntegrityError:
        present.update(probe=True)
        return InDoubt()
    return None


def _connected_already(visitor: Visitor) -> Refusal:
    return Refusal(ResultCode.UNABLE_TO_COMPLY, f"{visitor.host} is connected already")


def _terms(peer: Peer | None) -> Admission:
    money_a_day_micros = settings.DIAMETER_MONEY_A_DAY * MICROS_PER_UNIT
    if peer is None:
        return Admission(
            PeerPolicy(), CreditControlPolicy(money_a_day_micros=money_a_day_micros), is_configured=False
        )
    if peer.money_a_day_micros is not None:
        money_a_day_micros = peer.money_a_day_micros
    return Admission(
        PeerPolicy(
            ignore_unknown_mandatory=peer.ignore_unknown_mandatory,
            realms=frozenset(peer.served_realms.split()),
            hosts=frozenset(peer.served_hosts.split()),
            max_requests_in_flight=peer.max_requests_in_flight,
        ),
        CreditControlPolicy(
            tariff_time_change=peer.tariff_time_change,
            grants_in_octets=peer.grants_in_octets,
            failure_handling=peer.failure_handling,
            redirect_as_refusal=peer.redirect_as_refusal,
            free_services=frozenset(peer.free_services.split()),
            sessions_of_realm=peer.sessions_belong_to == Peer.SessionOwner.REALM,
            money_a_day_micros=money_a_day_micros,
        ),
        is_configured=True,
    )
