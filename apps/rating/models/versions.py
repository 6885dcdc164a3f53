"""Published tariffs: what every process prices with, kept so that an old price can be explained."""

from __future__ import annotations

from django.db import models


class TariffVersion(models.Model):
    """One immutable snapshot of all that prices depend on, of every tenant."""

    published_at = models.DateTimeField()
    content_hash = models.CharField(
        max_length=64, help_text="SHA-256 of the snapshot; the same content is one version."
    )
    snapshot = models.BinaryField(help_text="Compressed canonical JSON (apps.rating.domain).")
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Tariff version {self.pk}"
