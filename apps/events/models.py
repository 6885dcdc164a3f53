"""Rows of the outbox: events, how far each consumer is, and what a consumer could not handle yet."""

from __future__ import annotations

from django.db import models


class Event(models.Model):
    """Something that happened, written in the transaction that made it so.

    Ids are given when rows are inserted, numbers when they are committed: a reader that has read up to a number
    misses nothing below it.
    """

    kind = models.CharField(max_length=64)
    version = models.PositiveSmallIntegerField()
    tenant = models.CharField(
        max_length=64, blank=True, help_text="Its code; empty = the operator as a whole."
    )
    subject = models.CharField(
        max_length=64, db_index=True, help_text="What it happened to, such as account:17."
    )
    body = models.JSONField()
    at = models.DateTimeField(help_text="When it took effect.")
    number = models.BigIntegerField(
        null=True, unique=True, help_text="Order of the commits; empty until the relay has come by."
    )

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Mark(models.Model):
    """How far a consumer is, moved in the transaction in which it handles the events; or the relay with its numbers."""

    name = models.CharField(max_length=64, primary_key=True)
    number = models.BigIntegerField(default=0, help_text="The last event that was handled, or numbered.")
    at = models.DateTimeField(null=True, blank=True, help_text="When it was last moved.")

    class Meta:
        verbose_name, verbose_name_plural = "consumer", "consumers"

    def __str__(self) -> str:
        return self.name


class StuckEvent(models.Model):
    """An event that a consumer could not handle: tried again later, and those of its subject wait behind it."""

    consumer = models.CharField(max_length=64)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="+")
    error = models.CharField(max_length=300)
    attempts = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["consumer", "event"], name="stuck_once_a_consumer")]

    def __str__(self) -> str:
        return f"{self.consumer}: {self.event}"
