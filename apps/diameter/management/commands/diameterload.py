"""``manage.py diameterload``: gateways that load a Diameter server and check what it answers."""

from __future__ import annotations

import asyncio
import json
import ssl
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from apps.backoffice.progress import progress
from apps.diameter.load.client import ConnectionRefused
from apps.diameter.load.runner import LoadPlan, LoadResult, LoadRun
from apps.diameter.load.scenarios import SCENARIOS, Party
from apps.diameter.worker.loop import run_loop
from apps.kernel.clock import utc_now
from apps.runtime.commands import RoomCommand


class Command(RoomCommand):
    """The door: which load is played, and how the outcome is shown. Playing is ``load/``."""

    help = (
        "Play gateways against a Diameter server: sessions of data, calls and messages, in a closed loop or at a rate. "
        "Every answer is checked. Exit status: 0 all well, 1 something was wrong with an answer, 2 wrong arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.DIAMETER_PORT, help="(default: %(default)s)")
        parser.add_argument("--tls", action="store_true", help="TLS from the first octet on")
        parser.add_argument("--ca", metavar="FILE", help="with --tls: who signed the server's certificate")
        parser.add_argument(
            "--certificate", metavar="FILE", help="with --tls: this side's, with its key in the file"
        )
        parser.add_argument(
            "--mix",
            default="data",
            metavar="NAME[=WEIGHT],…",
            help=f"the mix, of {', '.join(SCENARIOS)}: data=3,voice=2,sms=1 (default: %(default)s)",
        )
        parser.add_argument("--peers", type=int, default=1, metavar="N", help="gateways, a connection each")
        parser.add_argument(
            "--sessions",
            type=int,
            default=16,
            metavar="N",
            help="at a time on each gateway (default: %(default)s)",
        )
        parser.add_argument("--requests", type=int, default=0, metavar="N", help="end after so many answers")
        parser.add_argument("--seconds", type=float, default=0.0, metavar="S", help="end after so long")
        parser.add_argument(
            "--rate",
            type=float,
            default=0.0,
            metavar="R",
            help="requests a second (default: as fast as it goes)",
        )
        parser.add_argument(
            "--updates", type=int, default=2, metavar="N", help="a session (default: %(default)s)"
        )
        parser.add_argument(
            "--ask", type=int, default=0, metavar="UNITS", help="ask for so much; 0 = the server decides"
        )
        parser.add_argument("--call-s", type=int, default=60, help="seconds talked between two requests")
        parser.add_argument(
            "--octets", type=int, default=1_000_000, help="used between two requests, a rating group"
        )
        parser.add_argument(
            "--rating-groups",
            default="10,20,30",
            metavar="N,…",
            help="of data sessions (default: %(default)s)",
        )
        parser.add_argument("--called-number", default="493012345678", metavar="DIGITS")
        parser.add_argument(
            "--msisdn",
            metavar="FIRST",
            help="the first of --subscribers numbers in a row (default: from the database)",
        )
        parser.add_argument(
            "--subscribers", type=int, default=1_000, metavar="N", help="(default: %(default)s)"
        )
        parser.add_argument(
            "--repeat-share",
            type=float,
            default=0.0,
            metavar="0–1",
            help="of the requests are repeated, with T",
        )
        parser.add_argument(
            "--persist",
            action="store_true",
            help="when the server falls, connect again and repeat unanswered requests, with the T flag",
        )
        parser.add_argument(
            "--origin-host", default="gateway", help="N and the realm are added (default: %(default)s)"
        )
        parser.add_argument("--origin-realm", default="load.test")
        parser.add_argument("--destination-realm", default=settings.DIAMETER_ORIGIN_REALM)
        parser.add_argument("--seed", type=int, default=0, help="the same mix again")
        parser.add_argument("--json", action="store_true", help="print the outcome for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["requests"] and not options["seconds"]:
            options["requests"] = 10_000
        plan = LoadPlan(
            host=options["host"],
            port=options["port"],
            parties=_parties(options["msisdn"], options["subscribers"]),
            destination_realm=options["destination_realm"],
            mix=_mix(options["mix"]),
            peers=options["peers"],
            sessions=options["sessions"],
            requests=options["requests"],
            seconds=options["seconds"],
            rate=options["rate"],
            updates=options["updates"],
            ask=options["ask"],
            call_s=options["call_s"],
            octets=options["octets"],
            rating_groups=_numbers(options["rating_groups"]),
            repeat_share=options["repeat_share"],
            persist=options["persist"],
            origin_host=options["origin_host"],
            origin_realm=options["origin_realm"],
            called_number=options["called_number"],
            tls=_tls(options),
            seed=options["seed"],
        )
        result = self._play(plan)
        if options["json"]:
            self.stdout.write(json.dumps(result.summary(), indent=1))
        else:
            self._show(result)
        if result.problems or result.unanswered:
            raise SystemExit(1)

    def _play(self, plan: LoadPlan) -> LoadResult:
        results: list[LoadResult] = []

        async def play() -> None:
            results.append(await LoadRun(plan, report).run(int(utc_now().timestamp())))

        with progress("Playing gateways", plan.requests or None, "answers") as report:
            try:
                run_loop(play())
            except ConnectionRefused as refused:
                raise CommandError(
                    f"{plan.host}:{plan.port} does not let the gateway in: {refused}. Add the peer in the admin, or "
                    "start the server with --accept-unknown-peers"
                ) from refused
            except OSError as error:
                raise CommandError(
                    f"{plan.host}:{plan.port} cannot be reached: {error.strerror or error}"
                ) from error
            except asyncio.CancelledError:
                raise CommandError("interrupted") from None
        return results[0]

    def _show(self, result: LoadResult) -> None:
        figures = result.summary()
        write = self.stdout.write
        write(
            f"{figures['requests']:,} answers in {figures['seconds']:.1f} s: "
            f"{figures['requests_per_second']:,.0f} a second, {figures['sessions']:,} sessions"
        )
        for name, latency in {"all": figures["latency_ms"], **figures["latency_ms_by_request"]}.items():
            write(f"  {name:10} " + "  ".join(f"{key} {value:.2f} ms" for key, value in latency.items()))
        if result.sent_late.count:
            late = figures["sent_late_ms"]
            write(f"  sent late by this side itself: p50 {late['p50']:.2f} ms  p99 {late['p99']:.2f} ms")
        for name, count in figures["answers"].items():
            write(f"  {name:16} {count:,}")
        for name, label in (
            ("repeats", "repeated on purpose"),
            ("resent_after_loss", "repeated after a loss"),
            ("reconnects", "reconnections"),
            ("unanswered", "not answered"),
        ):
            if figures[name]:
                write(f"  {label}: {figures[name]:,}")
        for problem, count in figures["problems"].items():
            write(self.style.ERROR(f"  {count} × {problem}"))


def _parties(first: str | None, count: int) -> list[Party]:
    if count < 1:
        raise CommandError("--subscribers must be at least 1", returncode=2)
    if first is None:
        from apps.diameter.selectors import some_parties

        parties = [Party(msisdn) for msisdn in some_parties(count, utc_now())]
        if not parties:
            raise CommandError(
                "there are no subscribers with numbers in the database; use --msisdn", returncode=2
            )
        return parties
    if not first.isdigit():
        raise CommandError(f"“{first}” is not a number; write digits only", returncode=2)
    return [Party(str(int(first) + index).zfill(len(first))) for index in range(count)]


def _mix(text: str) -> dict[str, int]:
    mix: dict[str, int] = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        if name not in SCENARIOS or not (weight or "1").isdigit():
            raise CommandError(
                f"--mix: “{part}” is none of {', '.join(SCENARIOS)} with a weight", returncode=2
            )
        mix[name] = int(weight or "1")
    if not any(mix.values()):
        raise CommandError("--mix: every weight is 0", returncode=2)
    return mix


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise CommandError(f"--rating-groups: “{text}” is not a list of numbers", returncode=2) from None


def _tls(options: dict[str, Any]) -> ssl.SSLContext | None:
    if not options["tls"]:
        return None
    try:
        context = ssl.create_default_context(cafile=options["ca"])
        if options["certificate"]:
            context.load_cert_chain(options["certificate"])
    except (OSError, ssl.SSLError) as error:
        raise CommandError(f"--tls: {error}", returncode=2) from error
    return context
