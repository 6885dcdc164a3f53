"""Orders to the clients of sessions."""

from __future__ import annotations

from django.db import models


class SessionOrder(models.Model):
    """Something to be told to a session's client: to ask for quotas again (Gy: RAR), or to end the session (ASR).

    Any process writes the row; the one that has the connection of ``peer`` sends it. ``cause`` says why, and is unique:
    what causes an order causes it once.
    """

    class Kind(models.TextChoices):
        REAUTHORISE = "rar", "Re-authorise (RAR)"
        ABORT = "asr", "Abort (ASR)"

    class Status(models.TextChoices):
        PENDING = "pending", "To be sent"
        SENT = "sent", "Sent"
        DONE = "done", "Answered"
        FAILED = "failed", "Failed"

    kind = models.CharField(max_length=3, choices=Kind.choices)
    session_id = models.CharField(max_length=1_000)
    session_row = models.BigIntegerField(default=0, help_text="The charging session's row.")
    route = models.CharField(max_length=800, help_text="The client's host, or host/realm/agent.")
    peer = models.CharField(max_length=255, help_text="Whose connection leads there, in small letters.")
    rating_group = models.PositiveBigIntegerField(null=True, blank=True)
    cause = models.CharField(max_length=160, unique=True)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.PENDING)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    result_code = models.PositiveIntegerField(null=True, blank=True, help_text="Of the answer.")
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [models.Index(fields=["status", "peer"], name="order_to_send")]

    @property
    def aborts(self) -> bool:
        """Whether the session is to end; else its client asks again."""
        return self.kind == self.Kind.ABORT

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.session_id}"
