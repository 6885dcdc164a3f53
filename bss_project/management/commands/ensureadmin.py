"""``manage.py ensureadmin``: the first superuser, with a password that only a file knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from bss_project.serving import ensure_admin


class Command(BaseCommand):
    help = (
        "Creates the superuser “admin” if there is none; its random password is written to a file (mode 600)."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        how_to_sign_in = ensure_admin(Path(settings.VAR_DIR))
        self.stdout.write(how_to_sign_in[:1].upper() + how_to_sign_in[1:])
