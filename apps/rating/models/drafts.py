"""Tariff drafts: folders that are kept and priced by, but not live."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.rating.models.versions import TariffLoad, TariffVersion


class TariffDraft(models.Model):
    """A folder that goes live later: at a time, or when a person says so. Its content never changes."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        SCHEDULED = "scheduled", "Scheduled"
        # It was due and did not go live by itself; ``message`` says why.
        HELD = "held", "Held"
        PUBLISHED = "published", "Published"
        DISCARDED = "discarded", "Discarded"

    plan_code = models.CharField(max_length=64, verbose_name="tariff plan")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150, blank=True, help_text="Empty: a process.")
    # The folder, the archive, the deck or the version.
    origin = models.CharField(max_length=255, blank=True)
    note = models.CharField(max_length=200, blank=True)
    flush = models.BooleanField(default=False, help_text="What is live of the tariff plan goes first.")
    archive = models.BinaryField(help_text="The folder's files as zip.")
    content_hash = models.CharField(max_length=64, help_text="SHA-256 of the archive.")
    unknown_files = models.JSONField(
        default=list, help_text="Names of files that belong to no tariff folder."
    )
    files = models.JSONField(default=dict, help_text="The number of rows by file.")
    scope = models.CharField(
        max_length=20,
        blank=True,
        help_text="It was made of what was live of all ids that begin so, and cannot be brought up to date.",
    )
    findings = models.JSONField(
        default=list, help_text="What was odd about where it came from: place, message and code."
    )
    # The last check: what it found, and the tariff that was live then.
    problems = models.JSONField(default=list, help_text="Errors first, each with place, message and code.")
    error_count = models.PositiveIntegerField(default=0)
    warning_count = models.PositiveIntegerField(default=0)
    checked_at = models.DateTimeField()
    base_version = models.ForeignKey(
        TariffVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    publish_at = models.DateTimeField(null=True, blank=True)
    message = models.CharField(max_length=500, blank=True, help_text="Why it is held.")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(
        max_length=150, blank=True, help_text="Who published, scheduled or discarded it."
    )
    load = models.OneToOneField(
        TariffLoad, null=True, blank=True, on_delete=models.PROTECT, related_name="draft"
    )

    class Meta:
        ordering = ["-id"]
        permissions = [("publish_tariffdraft", "Can publish tariff drafts and go back to earlier tariffs")]
        indexes = [models.Index(fields=["state", "publish_at"], name="tariff_draft_due")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="scheduled") | Q(publish_at__isnull=False),
                name="tariff_draft_has_its_time",
            ),
            models.CheckConstraint(
                condition=~Q(state="published") | Q(load__isnull=False), name="tariff_draft_has_its_load"
            ),
        ]

    def __str__(self) -> str:
        return f"Draft {self.pk} of {self.plan_code}"
