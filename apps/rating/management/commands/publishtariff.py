"""``publishtariff DRAFT``: make a tariff draft live, now or at a time; without a number, list the drafts."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError

from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError, InvalidInput
from apps.kernel.words import counted
from apps.rating.models import TariffDraft
from apps.rating.services import drafts
from apps.runtime.commands import RoomCommand, system_user


class Command(RoomCommand):
    help = (
        "Publish a draft that loadtariffplan --draft or the admin made; every process prices by it within a minute. "
        "Without a number, list the drafts that are neither published nor discarded."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("draft", metavar="DRAFT", type=int, nargs="?", help="Its number.")
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--at",
            metavar="TIME",
            help="Have it go live at this time (ISO 8601, UTC unless it says otherwise).",
        )
        what.add_argument("--check", action="store_true", help="Check it again against what is live now.")
        what.add_argument("--discard", action="store_true", help="Give it up.")
        what.add_argument(
            "--accept-changes",
            action="store_true",
            help="Publish although it writes over ids that changed since it was checked.",
        )

    def handle(
        self,
        *args: Any,
        draft: int | None,
        at: str | None,
        check: bool,
        discard: bool,
        accept_changes: bool,
        **options: Any,
    ) -> None:
        try:
            if draft is None:
                self._list()
            elif at is not None:
                made = drafts.schedule_draft(draft, _instant(at), utc_now(), system_user())
                self.stdout.write(f"{made} goes live at {made.publish_at:%Y-%m-%dT%H:%M:%SZ}.")
            elif check:
                self._tell_check(drafts.check_draft(draft, utc_now()))
            elif discard:
                self.stdout.write(f"{drafts.discard_draft(draft, utc_now(), system_user())} is discarded.")
            else:
                loaded = drafts.publish_draft(draft, utc_now(), system_user(), accept_changes=accept_changes)
                what = "published as" if loaded.is_new else "the same as"
                self.stdout.write(
                    self.style.SUCCESS(f"Draft {draft}: {what} tariff version {loaded.version_id}.")
                )
        except BssError as error:
            raise CommandError(str(error)) from error

    def _list(self) -> None:
        waiting = TariffDraft.objects.filter(state__in=drafts.UNDECIDED).defer("archive", "problems")
        if not waiting:
            self.stdout.write("No draft waits. loadtariffplan DIR --draft makes one.")
        for draft in waiting.order_by("pk"):
            when = (
                f" for {draft.publish_at:%Y-%m-%dT%H:%M:%SZ}" if draft.state == drafts.State.SCHEDULED else ""
            )
            why = f": {draft.message}" if draft.message else ""
            self.stdout.write(
                f"{draft.pk:>6}  {draft.plan_code}  {draft.state}{when}  {_found(draft)}  "
                f"{draft.origin}  by {draft.made_by or 'a process'}{why}"
            )

    def _tell_check(self, draft: TariffDraft) -> None:
        for where, message, _ in draft.problems:
            self.stderr.write(f"{where}: {message}")
        self.stdout.write(f"{draft}: {_found(draft)}")


def _found(draft: TariffDraft) -> str:
    return f"{counted(draft.error_count, 'error')}, {counted(draft.warning_count, 'warning')}"


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"“{text}” is not a time; write it like 2026-12-01T00:00:00Z", where="--at"
        ) from None
    return (instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)).astimezone(UTC)
