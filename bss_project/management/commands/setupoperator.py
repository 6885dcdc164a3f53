"""``setupoperator``: the tenant, services, bill cycles and tax that a new installation begins with."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.rating.models.tenants import DEFAULT_TENANT, currency_validator, validate_time_zone
from bss_project.operator_setup import Operator, set_up


class Command(BaseCommand):
    help = (
        "Create the operator's tenant, the services voice, sms, data and mms, bill cycles and a general tax. "
        "Running it again adds missing parts and changes nothing that exists. Then load a tariff "
        "(maketariffplan, loadtariffplan) and make price plans in the admin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="The operator's name, as on the bills.")
        parser.add_argument("--country", default="DE", help="ISO 3166 code (default: %(default)s).")
        parser.add_argument("--currency", default="EUR", help="ISO 4217 code (default: %(default)s).")
        parser.add_argument("--time-zone", default="UTC", help="IANA name (default: %(default)s).")
        parser.add_argument("--locale", default="en_GB", help="Of the bills (default: %(default)s).")
        parser.add_argument(
            "--cycles", type=int, default=1, help="Bill cycles 1 to N (default: %(default)s)."
        )
        parser.add_argument("--tax-name", default="VAT")
        parser.add_argument("--tax-percent", default="0", help="Such as 19 or 8.1 (default: no tax).")
        parser.add_argument("--tenant", default=DEFAULT_TENANT)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            currency_validator(options["currency"])
            validate_time_zone(options["time_zone"])
            millionths = Decimal(options["tax_percent"]) * 10_000
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except InvalidOperation:
            raise CommandError(f"--tax-percent: “{options['tax_percent']}” is not a number") from None
        if millionths < 0 or millionths != int(millionths):
            raise CommandError("--tax-percent: from 0, with at most four decimals")
        if not 0 <= options["cycles"] <= 28:
            raise CommandError("--cycles: 0 to 28")
        tenant = set_up(
            Operator(
                name=options["name"],
                country=options["country"],
                currency=options["currency"],
                time_zone=options["time_zone"],
                locale=options["locale"],
                cycles=options["cycles"],
                tax_name=options["tax_name"],
                tax_millionths=int(millionths),
                tenant=options["tenant"],
            )
        )
        self.stdout.write(f"tenant {tenant.code}: {tenant.name}, {tenant.currency}, {tenant.time_zone}")
