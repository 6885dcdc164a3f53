"""Rows of the CRM's doors: clients and their keys, tokens taken back, answers kept for repeats, who did what."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from simple_history.models import HistoricalRecords

from apps.crm.domain.access import PLATFORM_CLIENT, ROLES
from apps.rating.models import Tenant
from apps.subscribers.models import Subscriber

name_validator = RegexValidator(
    r"^[a-z0-9][a-z0-9._-]*$", "Use small letters, digits, dots, hyphens and underscores, such as crm2."
)


class ApiClient(models.Model):
    """A program that calls: a CRM, a portal, a partner. Its keys sign tokens for its tenant and its roles only."""

    name = models.CharField(max_length=60, unique=True, validators=[name_validator])
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    description = models.CharField(max_length=200, blank=True)
    roles = models.CharField(
        max_length=200, help_text=f"What its tokens may give, split by blanks: {', '.join(ROLES)}."
    )
    enabled = models.BooleanField(default=True, help_text="Tokens of a client that is not are refused.")
    calls_a_second = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty = the server's limit."
    )
    burst = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Calls at once; empty = the server's limit.",
    )
    created_at = models.DateTimeField()
    history = HistoricalRecords()

    class Meta:
        verbose_name = "API client"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.name = self.name.lower()
        if self.name == PLATFORM_CLIENT:
            raise ValidationError({"name": "“platform” is the name of the platform's own keys."})
        unknown = set(self.roles.split()) - set(ROLES)
        if unknown or not self.roles.split():
            raise ValidationError({"roles": f"Roles are {', '.join(ROLES)}; give one or more of them."})


class ApiKey(models.Model):
    """A client's signing key. The secret is shown once and kept sealed with the platform's secret key."""

    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="keys")
    kid = models.CharField(max_length=60, unique=True, help_text="Names the key in a token's header.")
    sealed_secret = models.TextField()
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(
        null=True, blank=True, help_text="Tokens signed with it are refused from then on."
    )

    class Meta:
        verbose_name = "API key"
        ordering = ["client", "created_at"]

    def __str__(self) -> str:
        return self.kid


class RevokedToken(models.Model):
    """A token that counts no longer, by its ``jti`` or hash; kept until it would have expired."""

    token_id = models.CharField(max_length=128, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.token_id


class StoredAnswer(models.Model):
    """The answer to a call with an idempotency key; the same call again gets the same answer.

    Written in the transaction of what the call did: either both are there or neither.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    client = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    operation = models.CharField(max_length=80)
    request_digest = models.CharField(max_length=64, help_text="SHA-256 of the request.")
    status = models.PositiveSmallIntegerField(default=0)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "client", "key"], name="answer_once_a_key")]

    def __str__(self) -> str:
        return f"{self.client}: {self.key}"


class StaffTenant(models.Model):
    """A person of the staff works for this tenant; without such a row for all of them."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tenants")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = "tenant"
        constraints = [models.UniqueConstraint(fields=["user", "tenant"], name="tenant_once_a_person")]

    def __str__(self) -> str:
        return f"{self.user}: {self.tenant}"


class ApiCall(models.Model):
    """The audit record: who asked for what, from where, and what came of it. Written once, never changed."""

    at = models.DateTimeField(db_index=True)
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.PROTECT, related_name="+")
    door = models.CharField(max_length=8, help_text="grpc or rest.")
    operation = models.CharField(max_length=80, help_text="The RPC, or method and route.")
    client = models.CharField(max_length=60, blank=True)
    subject = models.CharField(max_length=120, blank=True, help_text="Who, as the token says.")
    roles = models.CharField(max_length=120, blank=True)
    token_id = models.CharField(max_length=128, blank=True)
    target = models.CharField(
        max_length=120, blank=True, db_index=True, help_text="What it was about, such as subscriber 12."
    )
    outcome = models.CharField(max_length=40, help_text="ok, or the error's code.")
    detail = models.CharField(max_length=300, blank=True)
    remote = models.CharField(max_length=80, blank=True, help_text="Address of the caller.")
    request_id = models.CharField(max_length=80, blank=True)
    repeated = models.BooleanField(default=False, help_text="Answered from an earlier call with this key.")

    class Meta:
        verbose_name = "API call"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.operation} {self.outcome}"


class ApiToken(models.Model):
    """An opaque bearer token for REST: for programs that cannot sign, and for customers' own view (self-care).

    The token is shown once; only its SHA-256 is kept (it is 256 random bits, so no slower hash is needed).
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120, help_text="Who it is for; the audit record shows it.")
    roles = models.CharField(max_length=200, help_text=f"Split by blanks: {', '.join(ROLES)}.")
    subscriber = models.ForeignKey(
        Subscriber,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="api_tokens",
        help_text="Whose own view it is (self_care); empty otherwise.",
    )
    token_hash = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12, help_text="How the token begins, to tell it from others.")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=190, blank=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"
