"""CGRateS tariff-plan files: CSV tables in, values, faults and warnings out. Pure; the caller brings the bytes."""

from apps.rating.domain.tariff_files import fields, times
from apps.rating.domain.tariff_files.reading import FILES, TariffFiles, read_tariff_files, sorted_out
from apps.rating.domain.tariff_files.references import KnownIds, check_references
from apps.rating.domain.tariff_files.review import review
from apps.rating.domain.tariff_files.writing import packed, write_tariff_files

__all__ = [
    "FILES",
    "KnownIds",
    "TariffFiles",
    "check_references",
    "fields",
    "packed",
    "read_tariff_files",
    "review",
    "sorted_out",
    "times",
    "write_tariff_files",
]
