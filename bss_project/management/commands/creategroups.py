"""``manage.py creategroups``: the groups of staff, with their permissions."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from bss_project.staff_groups import create_groups


class Command(BaseCommand):
    help = "Creates the groups operator, billing and auditor, or brings their permissions up to date."

    def handle(self, *args: Any, **options: Any) -> None:
        for group in create_groups():
            self.stdout.write(f"{group.name}: {group.permissions.count()} permissions")
