"""``manage.py keepawake``: processors that a virtual machine's host would take long to wake do not go to sleep."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.kernel.errors import BssError
from apps.serving.awake import keep_awake, round_trip
from apps.serving.cores import cores_from_text


class Command(BaseCommand):
    help = (
        "Keeps processors awake at idle priority until Ctrl-C or SIGTERM, for a virtual machine whose host takes "
        "long to wake one; it costs power, and gives way to everything else at once. Says first how long a round "
        "trip between two cores takes: 0.05 ms are few, 0.5 ms are many."
    )
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--cores", default="", metavar="N[,N…]", help="which (default: all that this process may use)"
        )
        parser.add_argument(
            "--measure", action="store_true", help="only say how long a round trip takes now, and end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not hasattr(os, "sched_setaffinity"):
            raise CommandError("this system does not let a process choose its core")
        try:
            cores = cores_from_text(options["cores"]) or tuple(sorted(os.sched_getaffinity(0)))
        except BssError as error:
            raise CommandError(f"--cores: {error}", returncode=2) from error
        self._announce(_answering_time(cores))
        if options["measure"]:
            return
        listed = ", ".join(map(str, cores))
        self._announce(f"Keeping {'core' if len(cores) == 1 else 'cores'} {listed} awake; Ctrl-C ends it.")
        try:
            keep_awake(cores, self._announce)
        except BssError as error:
            raise CommandError(str(error)) from error

    def _announce(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _answering_time(cores: Sequence[int]) -> str:
    measured = round_trip(cores)
    return (
        f"A process that slept on core {cores[-1]} answers one on core {cores[0]} within {measured.mean_ms:.2f} ms "
        f"(mean; p99 {measured.p99_ms:.2f})."
    )
