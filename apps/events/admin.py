"""Events, how far their consumers are, and what these could not handle."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import instant
from apps.backoffice.forms import ActionForm
from apps.events.domain.kinds import KINDS
from apps.events.models import Event, Mark, StuckEvent
from apps.events.services.consuming import CONSUMERS, Consumer, deliver, replay, retry_now
from apps.events.services.relay import RELAY, newest_number
from apps.kernel.clock import utc_now


class KindFilter(DropdownFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(KINDS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class ReplayForm(ActionForm):
    consumer = forms.ChoiceField()

    def prepare(self) -> None:
        consumer = self.fields["consumer"]
        assert isinstance(consumer, forms.ChoiceField)
        consumer.choices = [(one.name, one.name) for one in repeaters(self.obj)]


def repeaters(event: Event) -> list[Consumer]:
    """Those that may be handed the event once more."""
    return [
        consumer
        for consumer in CONSUMERS.values()
        if consumer.repeatable and any(kind.name == event.kind for kind in consumer.kinds)
    ]


def replay_event(request: HttpRequest, event: Event, form: ReplayForm) -> str:
    consumer = CONSUMERS[form.cleaned_data["consumer"]]
    replay(event, consumer, utc_now())
    return f"{consumer.name} has handled it once more."


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("number", "kind", "subject", "tenant", "when")
    list_display_links = ("number", "kind")
    # Choices of the tenants there are would read the whole table.
    list_filter = (KindFilter,)
    search_fields = ("subject__startswith",)
    search_help_text = "What it happened to, such as account:17."
    ordering = ("-pk",)
    fields = ("number", "kind", "version", "subject", "tenant", "when", "content")
    page_actions = (
        PageAction(
            "replay",
            "Hand over once more",
            ("events.change_event",),
            replay_event,
            ReplayForm,
            icon="replay",
            offered=lambda event: bool(repeaters(event)),
            explain=lambda event: (
                f"{event}: a consumer that has handled it before changes nothing by handling it again."
            ),
        ),
    )

    @display(description="At", ordering="at")
    def when(self, event: Event) -> str:
        return instant(event.at, seconds=True)

    @display(description="Body")
    def content(self, event: Event) -> str:
        return ", ".join(f"{name}: {value}" for name, value in event.body.items())


@admin.register(Mark)
class MarkAdmin(ReadOnlyAdmin):
    list_display = ("consumer", "number", "behind", "oldest", "stuck", "moved")
    ordering = ("name",)
    fields = list_display

    @display(description="Consumer", ordering="name")
    def consumer(self, mark: Mark) -> str:
        return "relay (numbers events after their commit)" if mark.name == RELAY else mark.name

    @display(description="Events behind")
    def behind(self, mark: Mark) -> int:
        if mark.name == RELAY:
            return Event.objects.filter(number=None).count()
        return newest_number() - mark.number

    @display(description="Waits since")
    def oldest(self, mark: Mark) -> str:
        waiting = (
            Event.objects.filter(number=None)
            if mark.name == RELAY
            else Event.objects.filter(number__gt=mark.number).order_by("number")
        )
        return instant(waiting.values_list("at", flat=True).first(), seconds=True)

    @display(description="Could not handle")
    def stuck(self, mark: Mark) -> int:
        return StuckEvent.objects.filter(consumer=mark.name).count()

    @display(description="Moved", ordering="at")
    def moved(self, mark: Mark) -> str:
        return instant(mark.at, seconds=True)


def try_now(request: HttpRequest, stuck: StuckEvent, form: ActionForm) -> str:
    retry_now(stuck, utc_now())
    deliver(utc_now(), [CONSUMERS[stuck.consumer]])
    left = StuckEvent.objects.filter(pk=stuck.pk).first()
    return f"Still not: {left.error}" if left is not None else "Handled."


def give_up(request: HttpRequest, stuck: StuckEvent, form: ActionForm) -> str:
    stuck.delete()
    return f"{stuck.consumer} will never handle it; later events of {stuck.event.subject} go on."


@admin.register(StuckEvent)
class StuckEventAdmin(ReadOnlyAdmin):
    list_display = ("event", "consumer", "error", "attempts", "next_try")
    list_filter = ("consumer",)
    list_select_related = ("event",)
    ordering = ("-pk",)
    fields = ("event_link", "consumer", "error", "attempts", "next_try")
    page_actions = (
        PageAction("retry", "Try now", ("events.change_stuckevent",), try_now, icon="replay", primary=True),
        PageAction(
            "give-up",
            "Give up",
            ("events.delete_stuckevent",),
            give_up,
            icon="delete",
            danger=True,
            explain=lambda stuck: f"{stuck.consumer} will never handle {stuck.event}.",
            next_url=lambda _: "../../",
        ),
    )

    @display(description="Event")
    def event_link(self, stuck: StuckEvent) -> str:
        return format_html(
            '<a href="../../../event/{}/change/">{} {}</a>', stuck.event_id, stuck.event.number, stuck.event
        )

    @display(description="Next try", ordering="retry_at")
    def next_try(self, stuck: StuckEvent) -> str:
        return instant(stuck.retry_at, seconds=True)
