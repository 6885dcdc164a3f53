"""Published tariffs: what every process prices with, kept so that an old price can be explained;
and the loads of folders that they came from."""

from __future__ import annotations

from django.db import models


class TariffVersion(models.Model):
    """One immutable snapshot of all that prices depend on, of every tenant, and of the terms beside prices."""

    published_at = models.DateTimeField()
    published_by = models.CharField(max_length=150, blank=True, help_text="Empty: a process.")
    content_hash = models.CharField(
        max_length=64, help_text="SHA-256 of the snapshot; the same content is one version."
    )
    snapshot = models.BinaryField(help_text="Compressed canonical JSON (apps.rating.domain).")
    terms = models.JSONField(
        default=dict,
        help_text="Fees, free units, what is on sale, and the folder’s tables beside "
        "prices: rows by the path of their file.",
    )
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Tariff version {self.pk}"


class TariffLoad(models.Model):
    """One folder that was loaded: who loaded it, its content, and its changes."""

    loaded_at = models.DateTimeField()
    loaded_by = models.CharField(max_length=150, blank=True, help_text="Empty: a process.")
    plan_code = models.CharField(max_length=64, verbose_name="tariff plan")
    origin = models.CharField(max_length=255, blank=True, help_text="The folder or the archive.")
    flushed = models.BooleanField(default=False, help_text="What was loaded before was removed first.")
    files = models.JSONField(help_text="The number of rows by file.")
    changes = models.JSONField(help_text="By file, how many ids were new, replaced and removed.")
    warnings = models.JSONField(help_text="The first of them, each with its place and code.")
    warning_count = models.PositiveIntegerField()
    version = models.ForeignKey(TariffVersion, on_delete=models.PROTECT, related_name="loads")
    is_new_version = models.BooleanField(help_text="No: nothing that prices depend on has changed.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Load {self.pk} of {self.plan_code}"
