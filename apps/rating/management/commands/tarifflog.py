"""``tarifflog``: the history of the tariff: who changed it, when and why, and what differs between two versions."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.rating.models import TariffVersion
from apps.rating.selectors.history import (
    change_summary,
    commits_by_version,
    history_state,
    version_differences,
)
from apps.rating.selectors.tariffs import read_as_of, version_as_of, version_before
from apps.rating.services.history import write_history
from apps.runtime.commands import RoomCommand
from apps.storage.git import GitFailed

_VERSION = "VERSION|TIME|COMMIT"


class Command(RoomCommand):
    help = (
        "The history of the tariff: each version with who, when and why; what a version changed; what differs "
        "between two. “write” commits what the history in git lacks, and makes it anew if it is gone or damaged."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        todo = parser.add_subparsers(dest="todo")
        listed = todo.add_parser("list", help="Every version, the newest first (the default).")
        listed.add_argument("--limit", type=int, default=50, metavar="N", help="Default: %(default)s.")
        shown = todo.add_parser("show", help="What a version changed.")
        shown.add_argument("version", metavar=_VERSION)
        compared = todo.add_parser("diff", help="What differs between two versions.")
        compared.add_argument("before", metavar=_VERSION)
        compared.add_argument("after", metavar=_VERSION)
        todo.add_parser("write", help="Check the history in git, and commit what it lacks.")

    def handle(self, *args: Any, todo: str | None, **options: Any) -> None:
        try:
            if todo == "write":
                written = write_history(utc_now(), thorough=True)
                self.stdout.write(f"{written} version{'s' if written != 1 else ''} committed.")
            elif todo == "show":
                version_id = version_as_of(read_as_of(options["version"]))
                self._head(TariffVersion.objects.defer("snapshot").get(pk=version_id))
                self._difference(version_before(version_id), version_id)
                return
            elif todo == "diff":
                before, after = (version_as_of(read_as_of(options[name])) for name in ("before", "after"))
                self._difference(before, after)
                return
            else:
                self._list(options.get("limit", 50))
        except (BssError, GitFailed) as error:
            raise CommandError(str(error)) from error
        state = history_state()
        self.stderr.write(state.text if state.in_step else self.style.WARNING(state.text))

    def _list(self, limit: int) -> None:
        commits = commits_by_version()
        for version in TariffVersion.objects.defer("snapshot").order_by("-pk")[:limit]:
            commit = commits.get(version.pk)
            self.stdout.write(
                f"{version.pk:>6}  {commit.id[:12] if commit else '-':12}  "
                f"{version.published_at:%Y-%m-%d %H:%M:%S}  {version.published_by or 'a process':16}  {version.note}"
            )

    def _head(self, version: TariffVersion) -> None:
        self.stdout.write(
            f"Tariff version {version.pk}, {version.published_at:%Y-%m-%d %H:%M:%S} UTC, by "
            f"{version.published_by or 'a process'}: {version.note}\n"
        )

    def _difference(self, before: int | None, after: int) -> None:
        changes = version_differences(before, after)
        if not changes:
            self.stdout.write("They are the same.")
        for change in changes:
            self.stdout.write(self.style.MIGRATE_HEADING(change_summary([change])))
            for row in change.removed:
                self.stdout.write(f"- {row}")
            for row in change.added:
                self.stdout.write(f"+ {row}")
