"""The one way in which every process of the product begins."""

from __future__ import annotations

import faulthandler
import os
import resource
import sys
from enum import StrEnum

import structlog

from apps.licensing.domain.licence import Feature
from apps.licensing.services import gate
from apps.runtime import probes

log = structlog.get_logger(__name__)


class Role(StrEnum):
    """What a process is for."""

    SUPERVISOR = "supervisor"
    WEB = "web"
    BEAT = "beat"
    WORKER = "worker"
    DIAMETER = "diameter"
    GRPC = "grpc"
    LOADER = "loader"
    """Loads CDR files beside others."""
    READER = "reader"
    """Reads CDR files ahead of a loader."""
    FORMATTER = "formatter"
    """Renders bills beside others."""
    PRICER = "pricer"
    """Prices records again beside others."""


_HELPERS = frozenset((Role.LOADER, Role.READER, Role.FORMATTER, Role.PRICER))
_NEEDS = {Role.DIAMETER: Feature.PREPAID | Feature.DIAMETER, Role.GRPC: Feature.CRM}


def start(role: Role) -> None:
    """To be called once in each process, as soon as Django is set up and before it serves.

    What concerns all processes alike belongs here. A crash in compiled code leaves a traceback of Python's on standard
    error, and there may be as many sockets as the system allows. Nothing starts without a licence that holds
    (LicenceError), but the web, whose admin shows what is wrong with it; helpers start under their owner's.
    """
    if role in (Role.SUPERVISOR, Role.DIAMETER, Role.GRPC):
        gate.watch(_NEEDS.get(role, Feature(0)))
        probes.serve()
    elif role in (Role.BEAT, Role.WORKER):
        gate.require()
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)
    raise_open_files_limit()
    # Helpers write where their owner does, such as a command with a progress bar: they do not announce themselves.
    if role not in _HELPERS:
        log.info("process.started", role=role.value, pid=os.getpid())


def raise_open_files_limit() -> None:
    """Allow as many open files as the system does; the usual limit of 1,024 is less than a server may need."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
