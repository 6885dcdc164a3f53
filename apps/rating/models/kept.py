"""Rows of tariff-folder tables that the product does not act on yet, kept as they were written."""

from __future__ import annotations

from django.db import models

from apps.rating.models.tariff import TariffPlan


class KeptRow(models.Model):
    """A row of a table without effect (LCR rules, aliases, …): checked, exported unchanged, and acted on later."""

    tariff_plan = models.ForeignKey(TariffPlan, on_delete=models.CASCADE, related_name="+")
    file = models.CharField(max_length=32, help_text="The table's name, without .csv.")
    cells = models.JSONField(help_text="The text of the cells, in the order of the columns.")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["tariff_plan", "file"], name="kept_rows_of_a_file")]

    def __str__(self) -> str:
        return f"{self.file}: {', '.join(self.cells)}"
