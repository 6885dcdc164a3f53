"""CGRateS tariff-plan files: six CSV tables in, values and problems out. Pure; who calls brings the bytes."""

from apps.rating.domain.tariff_files import fields
from apps.rating.domain.tariff_files.reading import FILES, TariffFiles, read_tariff_files
from apps.rating.domain.tariff_files.references import KnownIds, check_references
from apps.rating.domain.tariff_files.review import review

__all__ = ["FILES", "KnownIds", "TariffFiles", "check_references", "fields", "read_tariff_files", "review"]
