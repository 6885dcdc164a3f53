"""Pricing as pure functions: a tariff is compiled once, and the Rater prices usage by it."""

from apps.rating.domain.allowances import Allowance, Taken
from apps.rating.domain.errors import RatingError
from apps.rating.domain.rater import Rater
from apps.rating.domain.source import TariffSource, plan_subject
from apps.rating.domain.tariff import Tariff, compile_tariff
from apps.rating.domain.usage import RatedUsage, Usage

__all__ = [
    "Allowance",
    "RatedUsage",
    "Rater",
    "RatingError",
    "Taken",
    "Tariff",
    "TariffSource",
    "Usage",
    "compile_tariff",
    "plan_subject",
]
