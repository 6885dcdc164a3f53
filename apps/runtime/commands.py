"""What commands of the rooms have in common."""

from __future__ import annotations

import getpass
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from apps.licensing.domain.errors import LicenceError
from apps.licensing.domain.licence import Feature
from apps.licensing.services import gate


class RoomCommand(BaseCommand):
    """A command that starts at once.

    Django's system checks import every page and door, which takes longer than most commands run. ``./run check``,
    ``./run serve`` and ``migrate`` make them.
    """

    requires_system_checks = []
    feature: ClassVar[Feature] = Feature(0)
    """The module that the licence must include for it; none for commands that configure and look."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command, if the licence lets it; an error of the licence ends it with its own exit code."""
        try:
            if self.feature:
                gate.require(self.feature)
            return super().execute(*args, **options)
        except LicenceError as error:
            raise CommandError(str(error), returncode=error.exit_code) from error


def system_user() -> str:
    """Who runs the command, by the system's name; empty if it has none (a container's bare number)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
