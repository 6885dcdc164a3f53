"""Rows of the Diameter room: who may connect, who is connected where, and counts of answers."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from simple_history.models import HistoricalRecords

from apps.charging.domain.modes import ChargingMode
from apps.rating.models import Service

identity_validator = RegexValidator(
    r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$",
    "Use a host or realm name in small letters, such as pgw1.epc.example.org.",
)


def validate_names(text: str) -> None:
    """Raise ValidationError unless ``text`` is names split by blanks, or ``*``."""
    for name in text.split():
        if name != "*":
            identity_validator(name)


class Peer(models.Model):
    """A gateway (or an agent in front of gateways) that may connect, and how it is treated."""

    class FailureHandling(models.IntegerChoices):
        TERMINATE = 0, "End the service"
        CONTINUE = 1, "Let the service go on"
        RETRY_AND_TERMINATE = 2, "Try another server, else end the service"

    class SessionOwner(models.TextChoices):
        PEER = "peer", "The peer"
        REALM = "realm", "All peers of its realm"

    host = models.CharField(
        max_length=255,
        unique=True,
        validators=[identity_validator],
        help_text="Its Origin-Host, in small letters.",
    )
    realm = models.CharField(
        max_length=255,
        blank=True,
        validators=[identity_validator],
        help_text="Its Origin-Realm, in small letters; empty = any.",
    )
    description = models.CharField(max_length=200, blank=True)
    enabled = models.BooleanField(
        default=True, help_text="A peer that is not is turned away when it connects."
    )
    ignore_unknown_mandatory = models.BooleanField(
        default=False,
        help_text=(
            "Pass over AVPs with the M bit that this server does not know. Most real gateways need it; without it "
            "such a request is answered 5001."
        ),
    )
    served_realms = models.CharField(
        max_length=500,
        blank=True,
        validators=[validate_names],
        help_text="Destination-Realms served beside the server's own, split by blanks; * = any.",
    )
    served_hosts = models.CharField(
        max_length=500,
        blank=True,
        validators=[validate_names],
        help_text="Destination-Hosts served beside the server's own, split by blanks; * = any.",
    )
    tariff_time_change = models.BooleanField(
        default=False,
        help_text="It splits used units at a tariff change; otherwise quotas are valid until the change.",
    )
    grants_in_octets = models.BooleanField(
        default=False,
        help_text=(
            "It reads nothing of a grant but octets (Open5GS does): seconds are told as the grant's validity, with "
            "octets enough to last as long."
        ),
    )
    redirect_as_refusal = models.BooleanField(
        default=False,
        help_text=(
            "Answer 4012 when a session is to be redirected or restricted at once. Standard is success (2001) with the "
            "Final-Unit-Indication and no units; many gateways end the bearer on 4012."
        ),
    )
    sessions_belong_to = models.CharField(
        max_length=5,
        choices=SessionOwner.choices,
        default=SessionOwner.PEER,
        help_text=(
            "Who may go on with a session and end it: the peer that opened it, or any peer of its realm (agents and "
            "gateways that stand in for each other). Others are answered 5002."
        ),
    )
    money_a_day_micros = models.BigIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=(
            "What it may debit and refund by amount (CC-Money) and refund by units on one day (UTC), in each currency; "
            "empty = BSS_DIAMETER_MONEY_A_DAY."
        ),
    )
    free_services = models.CharField(
        max_length=500,
        blank=True,
        help_text=(
            "Codes of services that cost nothing under any plan, split by blanks: it is told 4011 (credit control "
            "not applicable) and asks no more. Most gateways take 4011 for a refusal: leave empty for those, and free "
            "services get quotas like any other."
        ),
    )
    failure_handling = models.PositiveSmallIntegerField(
        choices=FailureHandling.choices,
        null=True,
        blank=True,
        help_text="What it should do when no answer comes (Credit-Control-Failure-Handling); empty = its own choice.",
    )
    max_requests_in_flight = models.PositiveIntegerField(
        default=0, help_text="More unanswered requests than this are answered 3004; 0 = the server's limit."
    )
    requires_tls = models.BooleanField(default=False, help_text="Turn it away on connections without TLS.")
    history = HistoricalRecords()

    class Meta:
        ordering = ["host"]

    def __str__(self) -> str:
        return self.host

    def clean(self) -> None:
        self.host = self.host.lower()
        self.realm = self.realm.lower()
        self.served_realms = self.served_realms.lower()
        self.served_hosts = self.served_hosts.lower()
        codes = set(self.free_services.split())
        unknown = codes - set(Service.objects.filter(code__in=codes).values_list("code", flat=True))
        if unknown:
            raise ValidationError({"free_services": f"There is no service {', '.join(sorted(unknown))}."})


class ServiceRule(models.Model):
    """Which service a rating group, a service identifier or a service context stands for.

    The most specific rule wins. Contexts of 3GPP (data, calls, SMS, MMS) are known without a rule.
    """

    context = models.CharField(
        max_length=255,
        blank=True,
        help_text=(
            "Service-Context-Id, its end after a dot, such as 32251@3gpp.org, or a pattern such as gprs*@operator, in "
            "which * stands for anything; empty = any."
        ),
    )
    rating_group = models.PositiveBigIntegerField(null=True, blank=True, help_text="Empty = any.")
    service_identifier = models.PositiveBigIntegerField(null=True, blank=True, help_text="Empty = any.")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    charging_mode = models.CharField(
        max_length=14,
        blank=True,
        default="",
        db_default="",
        choices=[(mode.value, mode.value) for mode in ChargingMode],
        help_text=(
            "How its usage is charged; empty: as the account's. *prepaid = debited in real time; in any other mode it "
            "is authorised and not debited, such as *none for what is free."
        ),
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["context", "rating_group", "service_identifier"]

    def __str__(self) -> str:
        parts = [self.context or "any context"]
        if self.rating_group is not None:
            parts.append(f"rating group {self.rating_group}")
        if self.service_identifier is not None:
            parts.append(f"service {self.service_identifier}")
        return f"{', '.join(parts)} → {self.service}"

    def clean(self) -> None:
        same = ServiceRule.objects.filter(
            context=self.context, rating_group=self.rating_group, service_identifier=self.service_identifier
        ).exclude(pk=self.pk)
        if same.exists():
            raise ValidationError(
                "There is a rule for this context, rating group and service identifier already."
            )


class ServerProcess(models.Model):
    """A running server process; one whose heartbeat stands still is dead, and what it owned is free."""

    key = models.CharField(max_length=64, primary_key=True)
    origin_host = models.CharField(max_length=255)
    address = models.CharField(max_length=80)
    machine = models.CharField(
        max_length=255, blank=True, help_text="Host name of the machine that it runs on."
    )
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "server processes"

    def __str__(self) -> str:
        return f"{self.origin_host} ({self.address}, process {self.pid})"


class Connection(models.Model):
    """A peer's open connection, and the process that owns it. A peer has one at most."""

    peer_host = models.CharField(max_length=255, unique=True, help_text="Origin-Host, in small letters.")
    peer_realm = models.CharField(max_length=255)
    process = models.ForeignKey(ServerProcess, on_delete=models.CASCADE, related_name="connections")
    token = models.CharField(max_length=32, help_text="Which connection of that process.")
    remote = models.CharField(max_length=80, help_text="Address and port at the other end.")
    secured = models.BooleanField(default=False)
    product_name = models.CharField(max_length=255, blank=True)
    opened_at = models.DateTimeField()
    probe = models.BooleanField(
        default=False,
        help_text="Another connection came with the same name: ask whether this one is still there.",
    )

    class Meta:
        ordering = ["peer_host"]

    def __str__(self) -> str:
        return self.peer_host


class TariffChange(models.Model):
    """A new tariff whose older sessions are being re-authorised, little by little; gone once all were."""

    version_id = models.BigIntegerField(primary_key=True)
    in_force_at = models.DateTimeField(help_text="When every process charges by it.")
    last_session_id = models.BigIntegerField(default=0, help_text="Sessions up to this one were told.")

    def __str__(self) -> str:
        return str(self.version_id)


class AnswerCount(models.Model):
    """How many requests of a kind were answered with a result code, by peer and hour (UTC)."""

    peer_host = models.CharField(max_length=255)
    hour = models.DateTimeField()
    request = models.CharField(max_length=8, help_text="CCR-I, CCR-U, CCR-T, CCR-E, or the command's code.")
    result_code = models.PositiveIntegerField()
    answers = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "peer_host", "request", "result_code"], name="answer_count_once_an_hour"
            )
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H} {self.peer_host} {self.request} {self.result_code}: {self.answers}"
