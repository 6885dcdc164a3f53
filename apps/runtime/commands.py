"""What commands of the rooms have in common."""

from __future__ import annotations

from django.core.management.base import BaseCommand


class RoomCommand(BaseCommand):
    """A command that starts at once.

    Django's system checks import every page and door, which takes longer than most commands run. ``./run check``,
    ``./run serve`` and ``migrate`` make them.
    """

    requires_system_checks = []
