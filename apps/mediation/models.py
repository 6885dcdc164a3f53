"""Rows of the mediation room: sources, files, rated records, and what could not be rated."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from apps.charging.models import Account, ChargingSession
from apps.rating.domain.runs import DEFAULT_RUN, LONGEST_RUN
from apps.rating.domain.source import SHARED_TARIFF_PLAN
from apps.rating.models import PricePlan, Service, TariffVersion
from apps.rating.models.tenants import code_validator
from apps.subscribers.models import Subscriber


class Source(models.Model):
    """A network element or partner that sends files, and how its files are read."""

    code = models.CharField(max_length=64, unique=True, validators=[code_validator])
    name = models.CharField(max_length=120, blank=True)
    format = models.CharField(max_length=32, default="protobuf", help_text="A name of mediation/formats.")
    options = models.JSONField(
        default=dict, blank=True, help_text="For the format, such as the column mapping of a CSV source."
    )
    file_pattern = models.CharField(
        max_length=120,
        blank=True,
        help_text="File names of this source, such as MSC01_*.csv; empty = by content.",
    )
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.name or self.code


class DerivedCharger(models.Model):
    """A run of the records that it is for, besides the default one: a row of DerivedChargers.csv (CGRateS).

    Rows of the same key (direction to destination ids) belong together; the most precise key decides
    (``domain/derived.py``).
    """

    tariff_plan = models.CharField(
        max_length=64,
        default=SHARED_TARIFF_PLAN,
        db_index=True,
        help_text="The tariff plan whose folder has the row.",
    )
    direction = models.CharField(max_length=8, default="*out", help_text="*out; rows of *in are kept only.")
    tenant = models.CharField(max_length=64, help_text="Of the records; *any = of every tenant.")
    category = models.CharField(max_length=255, default="*any", help_text="Split by “;”; *any = all.")
    account = models.CharField(
        max_length=255,
        default="*any",
        help_text="Numbers of the accounts that pay, split by “;”; *any = all.",
    )
    subject = models.CharField(
        max_length=255, default="*any", help_text="Such as *plan:GOLD, split by “;”; *any = all."
    )
    destination_ids = models.CharField(
        max_length=500, blank=True, help_text="Split by “;”; “!” before one excludes it; empty = all."
    )
    run = models.CharField(max_length=LONGEST_RUN, help_text="The run's name, such as wholesale.")
    run_filter = models.CharField(
        max_length=1_000,
        blank=True,
        help_text="Conditions that a record must pass, such as destination(^49);usage(>=1); empty = every record.",
    )
    templates = models.JSONField(
        default=dict,
        blank=True,
        help_text=(
            'What replaces a field of the record, such as {"AccountField": "^R-001", "SubjectField": "^wholesale"}; '
            "one that is not named stays as it is."
        ),
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.run} of {self.tenant}"


class RunAccount(models.Model):
    """An account that some run besides the default one has charged: its bill has lines of such runs."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="+")

    def __str__(self) -> str:
        return str(self.account)


class RatedDestination(models.Model):
    """The name of a destination that records were rated to; kept when a later tariff no longer has it."""

    tag = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return self.tag


class CdrFile(models.Model):
    """A batch of records that was taken in one transaction: a file, or records recycled from suspense."""

    class Kind(models.TextChoices):
        FILE = "file", "File"
        RECYCLED = "recycled", "Recycled from suspense"

    class State(models.TextChoices):
        LOADED = "loaded", "Loaded"
        REFUSED = "refused", "Refused"

    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.FILE)
    format = models.CharField(max_length=32, blank=True, help_text="How it was read.")
    preamble = models.TextField(
        blank=True, help_text="What a single record cannot be read without, such as a CSV header line."
    )
    name = models.CharField(max_length=255)
    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.PROTECT, related_name="files")
    content_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the file's bytes.")
    size_octets = models.BigIntegerField(default=0)
    file_sequence = models.BigIntegerField(null=True, blank=True, help_text="The source's own file number.")
    state = models.CharField(max_length=8, choices=State.choices, db_index=True)
    error = models.TextField(blank=True, help_text="Why the file was refused.")
    records = models.PositiveIntegerField(default=0)
    rated = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(
        default=0, help_text="Records that were in this or an earlier file already."
    )
    repeats = models.PositiveIntegerField(
        default=0, help_text="How often a file with the very same content came again."
    )
    suspended = models.PositiveIntegerField(default=0, help_text="Records put into suspense.")
    left_out = models.PositiveIntegerField(
        default=0, help_text="Lines that the source's filter left out; not counted as records."
    )
    cost_micros = models.BigIntegerField(default=0)
    first_start = models.DateTimeField(null=True, blank=True)
    last_start = models.DateTimeField(null=True, blank=True)
    tariff_version = models.ForeignKey(
        TariffVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    load_sequence = models.BigIntegerField(
        null=True,
        unique=True,
        help_text="Order of the commits: a reader up to a number has every record of the files up to it.",
    )
    taken_at = models.DateTimeField()
    loaded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "CDR file"
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class WaitingFile(models.Model):
    """A file that could not be loaded for another reason than its content, and waits where it is for the next run.

    The row goes once the file has: when it was loaded or refused, or taken away.
    """

    path = models.BinaryField(help_text="Where it is, in the octets of the file system.")
    path_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the path.")
    name = models.CharField(max_length=255)
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.PROTECT, related_name="waiting_files"
    )
    reason = models.CharField(max_length=40, help_text="Stable code, such as no_tariff.")
    message = models.TextField()
    first_tried_at = models.DateTimeField()
    last_tried_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = "waiting file"

    def __str__(self) -> str:
        return self.name


class CdrFileDay(models.Model):
    """What a batch charged in the default run on one day (UTC) for one service on one price plan.

    Sums over days come from here: a few rows a file rather than all of its records. The file's records have ids in
    ``(after_cdr, last_cdr]``, among some of other files that were loaded at the same time.
    """

    file = models.ForeignKey(CdrFile, on_delete=models.CASCADE, related_name="days", db_index=False)
    day = models.DateField(db_index=True)
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    price_plan = models.ForeignKey(
        PricePlan, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    cost_micros = models.BigIntegerField()
    after_cdr = models.BigIntegerField()
    last_cdr = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "day", "service", "price_plan"], name="cdr_file_day_once")
        ]

    def __str__(self) -> str:
        return f"{self.file} {self.day} {self.service}"


class LoadSequence(models.Model):
    """One row whose number is raised as the last step before a batch commits (so numbers follow commits)."""

    last = models.BigIntegerField(default=0)


class Cdr(models.Model):
    """A rated record. The widest table of all: each column and index earns its place (design, hot paths).

    What billing does not need every day (cell, roaming, cause, …) is in ``raw``, as the CDR message itself.
    The tariff version that priced it is its file's, or that of its newest correction.
    """

    file = models.ForeignKey(
        CdrFile, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    record_id = models.CharField(max_length=64, help_text="The source's own id, or a hash if it has none.")
    run = models.CharField(
        max_length=LONGEST_RUN,
        default=DEFAULT_RUN,
        db_default=DEFAULT_RUN,
        help_text="Which charge of the record: *default is the subscriber's own, others come of derived charging.",
    )
    mode = models.CharField(
        max_length=14,
        blank=True,
        default="",
        db_default="",
        help_text="Empty: its account's bill or balance pays; otherwise how it is charged instead, such as *rated.",
    )
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    price_plan = models.ForeignKey(
        PricePlan, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    destination = models.ForeignKey(
        RatedDestination, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    start = models.DateTimeField()
    other_party = models.CharField(max_length=64, help_text="Number dialled, or the access point of data.")
    usage = models.BigIntegerField(help_text="Seconds, octets or events as measured.")
    free_usage = models.BigIntegerField(help_text="Of it, taken from free units.")
    billed_usage = models.BigIntegerField(help_text="Charged for, rounded up to increments.")
    cost_micros = models.BigIntegerField()
    raw = models.BinaryField(
        help_text=(
            "The CDR message (proto/billing.proto), for files of any format; of runs besides the default one only "
            "what they were rated as."
        )
    )

    class Meta:
        verbose_name = "CDR"
        constraints = [models.UniqueConstraint(fields=["source", "record_id", "run"], name="cdr_once")]
        indexes = [models.Index(fields=["account", "start"], name="cdr_by_account")]

    def __str__(self) -> str:
        return f"{self.source_id}:{self.record_id}"


class CdrCorrection(models.Model):
    """The charge of a rated record before and after it was corrected (re-rating), with the tariff version that did it.

    The record itself has the newest; once a correction is taken back, what it had before.
    """

    cdr = models.ForeignKey(Cdr, on_delete=models.PROTECT, db_constraint=False, related_name="corrections")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    cause = models.CharField(
        max_length=60, help_text="What corrected it, such as rerate:7:34; a cause corrects a record once."
    )
    tariff_version = models.ForeignKey(TariffVersion, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    taken_back_at = models.DateTimeField(null=True, blank=True)
    destination_before = models.ForeignKey(
        RatedDestination, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    free_before = models.BigIntegerField()
    billed_before = models.BigIntegerField()
    cost_before_micros = models.BigIntegerField()
    destination_after = models.ForeignKey(
        RatedDestination, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    free_after = models.BigIntegerField()
    billed_after = models.BigIntegerField()
    cost_after_micros = models.BigIntegerField()

    class Meta:
        verbose_name = "correction of a CDR"
        verbose_name_plural = "corrections of CDRs"
        constraints = [models.UniqueConstraint(fields=["cause", "cdr"], name="cdr_corrected_once_a_cause")]

    def __str__(self) -> str:
        return f"{self.cdr_id}: {self.cause}"


class SessionRecord(models.Model):
    """A record whose usage is charged in real time (mode prepaid), and how it compares with what was charged there.

    The record itself is the row of the default run in ``Cdr``, which charges nothing. Several records of a session
    and service are compared together; what they differ by then stands with the last of them.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for its session"
        AGREES = "agrees", "Agrees"
        DIFFERS = "differs", "Differs"
        ADJUSTED = "adjusted", "Adjusted"
        IGNORED = "ignored", "Ignored"

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", db_index=False)
    record_id = models.CharField(max_length=64)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="+", db_index=False)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+", db_index=False)
    start = models.DateTimeField()
    usage = models.BigIntegerField(help_text="Seconds, octets or events of the record.")
    session_ref = models.CharField(
        max_length=1_000, blank=True, help_text="The session that the record names."
    )
    taken_at = models.DateTimeField(help_text="When the record came.")
    due_at = models.DateTimeField(help_text="When a waiting record is looked at again.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    session = models.ForeignKey(
        ChargingSession,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        help_text="What charged it; empty: an event without a session, or nothing.",
    )
    event_cause = models.CharField(
        max_length=100, blank=True, db_index=True, help_text="The debit of an event, in the ledger."
    )
    charged_usage = models.BigIntegerField(
        null=True, blank=True, help_text="What the session used of the service in all, when it was compared."
    )
    difference_micros = models.BigIntegerField(
        default=0, help_text="What the records cost more than what was charged in real time; negative: less."
    )
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["source", "record_id"], name="session_record_once")]
        indexes = [
            models.Index(fields=["state", "due_at"], name="session_record_by_state"),
            models.Index(fields=["session", "service"], name="session_record_by_session"),
        ]

    def __str__(self) -> str:
        return f"{self.source_id}:{self.record_id}"


class SuspendedRecord(models.Model):
    """A record that could not be taken, with its reason, place and raw form, until it is settled."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        RECYCLED = "recycled", "Recycled"
        DUPLICATE = "duplicate", "Duplicate of a rated record"
        DISCARDED = "discarded", "Discarded"

    file = models.ForeignKey(CdrFile, on_delete=models.PROTECT, related_name="suspense")
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.PROTECT, related_name="suspense"
    )
    byte_offset = models.BigIntegerField()
    raw = models.BinaryField()
    reason = models.CharField(
        max_length=40, db_index=True, help_text="Stable code, such as unknown_subscriber."
    )
    message = models.TextField()
    record_id = models.CharField(max_length=64, blank=True)
    service_code = models.CharField(max_length=32, blank=True)
    msisdn = models.CharField(max_length=20, blank=True, db_index=True)
    other_party = models.CharField(max_length=64, blank=True)
    start = models.DateTimeField(null=True, blank=True)
    usage = models.BigIntegerField(null=True, blank=True)
    corrections = models.JSONField(
        default=dict, blank=True, help_text="Fields that replace those that were read."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN, db_index=True)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=150, blank=True)
    settled_in = models.ForeignKey(
        CdrFile,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The batch in which it was rated in the end.",
    )
    history = HistoricalRecords(excluded_fields=["raw"])

    class Meta:
        verbose_name = "suspended record"
        constraints = [models.UniqueConstraint(fields=["file", "byte_offset"], name="suspended_once")]

    def __str__(self) -> str:
        return f"{self.file} @ {self.byte_offset}: {self.reason}"
