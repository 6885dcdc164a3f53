"""``rollbacktariff``: make a tariff plan what it was in an earlier version."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from apps.kernel.clock import utc_now
from apps.kernel.errors import BssError
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.models import TariffLoad
from apps.rating.services.drafts import go_back, version_before
from apps.runtime.commands import RoomCommand, system_user


class Command(RoomCommand):
    help = (
        "Undo the last load of a tariff plan, or go back to an earlier version of it. What was added to it since goes; "
        "price plans and tenants stay as they are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--tenant", metavar="T", help="The tariff plan that is tenant T's own; without it the shared one."
        )
        parser.add_argument(
            "--to", type=int, metavar="N", help="The version; without it, the one before the last load."
        )

    def handle(self, *args: Any, tenant: str | None, to: int | None, **options: Any) -> None:
        code = tenant or SHARED_TARIFF_PLAN
        try:
            version = to if to is not None else self._before_last_load(code)
            draft = go_back(version, utc_now(), plan_code=code, by=system_user())
        except BssError as error:
            raise CommandError(str(error)) from error
        if draft.load is None:
            self.stdout.write(f"Draft {draft.pk} is as version {version}; another person has to publish it.")
        else:
            self.stdout.write(
                self.style.SUCCESS(
                    f"As version {version}: published as tariff version {draft.load.version_id}."
                )
            )

    def _before_last_load(self, code: str) -> int:
        last = TariffLoad.objects.filter(plan_code=code, is_new_version=True).order_by("-id").first()
        if last is None:
            raise CommandError(f"nothing was loaded into tariff plan {code} yet")
        return version_before(last)
