"""Reads of the rating room that other rooms use."""

from apps.rating.selectors.tariffs import CurrentTariff, current_tariff, rater_as_of, tariff_version

__all__ = ["CurrentTariff", "current_tariff", "rater_as_of", "tariff_version"]
