"""Letting peers in, one connection each, whichever process they come to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import IntegrityError, transaction

from apps.diameter.credit_control.policy import AnswerPolicy
from apps.diameter.models import Connection, Peer, ServerProcess
from apps.diameter.protocol.codes import ResultCode
from apps.diameter.protocol.node import PeerPolicy

DEAD_AFTER = timedelta(seconds=15)
"""A process whose heartbeat is older than this owns nothing any more."""


class Admission(NamedTuple):
    """The terms on which a peer was let in."""

    policy: PeerPolicy
    answers: AnswerPolicy


class Refusal(NamedTuple):
    """Why a peer is turned away."""

    result_code: int
    message: str


class Visitor(NamedTuple):
    """A peer that has introduced itself."""

    host: str
    realm: str
    product_name: str
    remote: str
    secured: bool
    token: str


def register_process(key: str, origin_host: str, address: str, pid: int, now: datetime) -> None:
    """Make the process known; those that died are forgotten with what they owned."""
    forget_dead_processes(now)
    ServerProcess.objects.create(
        key=key, origin_host=origin_host, address=address, pid=pid, started_at=now, heartbeat_at=now
    )


def beat(key: str, now: datetime) -> bool:
    """Say that the process lives. False if it was taken for dead meanwhile: its connections may be owned anew."""
    alive = ServerProcess.objects.filter(key=key).update(heartbeat_at=now) == 1
    forget_dead_processes(now)
    return alive


def forget_process(key: str) -> None:
    """The process ends; its connections are gone."""
    ServerProcess.objects.filter(key=key).delete()


def forget_dead_processes(now: datetime) -> None:
    ServerProcess.objects.filter(heartbeat_at__lt=now - DEAD_AFTER).delete()


def admit(process_key: str, visitor: Visitor, accept_unknown: bool, now: datetime) -> Admission | Refusal:
    """Let a peer in and note who owns its connection, or say why not.

    A peer that is connected already is refused, and its present connection marked to be asked whether it still
    lives: a gateway that fell over and came back gets in with its next attempt.
    """
    host = visitor.host.lower()
    peer = Peer.objects.filter(host=host).first()
    if peer is None and not accept_unknown:
        return Refusal(ResultCode.UNKNOWN_PEER, f"{visitor.host} is not configured here")
    if peer is not None:
        if not peer.enabled:
            return Refusal(ResultCode.UNKNOWN_PEER, f"{visitor.host} is disabled here")
        if peer.realm and peer.realm != visitor.realm.lower():
            return Refusal(ResultCode.UNKNOWN_PEER, f"{visitor.host} is not of the realm {visitor.realm}")
        if peer.requires_tls and not visitor.secured:
            return Refusal(ResultCode.NO_COMMON_SECURITY, f"{visitor.host} has to use TLS")
    refusal = _take_connection(process_key, host, visitor, now)
    return refusal or _terms(peer)


def leave(process_key: str, token: str) -> None:
    """The connection is gone. One that took its place stays."""
    Connection.objects.filter(process_id=process_key, token=token).delete()


def _take_connection(process_key: str, host: str, visitor: Visitor, now: datetime) -> Refusal | None:
    forget_dead_processes(now)
    try:
        with transaction.atomic():
            Connection.objects.create(
                peer_host=host,
                peer_realm=visitor.realm.lower(),
                process_id=process_key,
                token=visitor.token,
                remote=visitor.remote,
                secured=visitor.secured,
                product_name=visitor.product_name[:255],
                opened_at=now,
            )
    except IntegrityError:
        Connection.objects.filter(peer_host=host).update(probe=True)
        return Refusal(ResultCode.UNABLE_TO_COMPLY, f"{visitor.host} is connected already")
    return None


def _terms(peer: Peer | None) -> Admission:
    if peer is None:
        return Admission(PeerPolicy(), AnswerPolicy())
    return Admission(
        PeerPolicy(
            ignore_unknown_mandatory=peer.ignore_unknown_mandatory,
            realms=frozenset(peer.served_realms.split()),
            hosts=frozenset(peer.served_hosts.split()),
            max_requests_in_flight=peer.max_requests_in_flight,
        ),
        AnswerPolicy(tariff_time_change=peer.tariff_time_change, failure_handling=peer.failure_handling),
    )
