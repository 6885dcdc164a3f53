"""What commands of the rooms have in common."""

from __future__ import annotations

import getpass

from django.core.management.base import BaseCommand


class RoomCommand(BaseCommand):
    """A command that starts at once.

    Django's system checks import every page and door, which takes longer than most commands run. ``./run check``,
    ``./run serve`` and ``migrate`` make them.
    """

    requires_system_checks = []


def system_user() -> str:
    """Who runs the command, by the system's name; empty if it has none (a container's bare number)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
