"""CGRateS tariff-plan files: CSV tables in, values, faults and warnings out. Pure; the caller brings the bytes."""

from apps.rating.domain.tariff_files import fields, times
from apps.rating.domain.tariff_files.archives import MAX_ARCHIVE_BYTES, packed, unpacked
from apps.rating.domain.tariff_files.folder_rows import FolderFile, FolderRow
from apps.rating.domain.tariff_files.folder_tables import FOLDER_TABLES, FolderTable
from apps.rating.domain.tariff_files.merging import TableRow, merged, merged_rows
from apps.rating.domain.tariff_files.reading import FILES, TariffFiles, read_tariff_files, sorted_out
from apps.rating.domain.tariff_files.references import KnownIds, check_references
from apps.rating.domain.tariff_files.review import review
from apps.rating.domain.tariff_files.writing import write_table, write_tariff_files

__all__ = [
    "FILES",
    "FOLDER_TABLES",
    "MAX_ARCHIVE_BYTES",
    "FolderFile",
    "FolderRow",
    "FolderTable",
    "KnownIds",
    "TableRow",
    "TariffFiles",
    "check_references",
    "fields",
    "merged",
    "merged_rows",
    "packed",
    "read_tariff_files",
    "review",
    "sorted_out",
    "times",
    "unpacked",
    "write_table",
    "write_tariff_files",
]
