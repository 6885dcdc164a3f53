"""Opaque API tokens: to look at, to make (each shown once), to take back."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.backoffice.actions import Once, PageAction
from apps.backoffice.admins import ReadOnlyAdmin
from apps.backoffice.display import badge, instant, link_to
from apps.backoffice.forms import ActionForm
from apps.backoffice.paging import InfinitePaginator
from apps.crm.domain.access import ROLES, SELF_CARE
from apps.crm.models import ApiToken
from apps.crm.selectors.subscribers import get_subscriber
from apps.crm.services.api_tokens import LONGEST, IssuedToken, create_api_token, revoke_api_tokens
from apps.crm.services.secrets import seal, unseal
from apps.crm.services.staff import demand_giver
from apps.kernel.clock import utc_now
from apps.kernel.errors import InvalidInput
from apps.rating.models import Tenant

ADD = ("crm.add_apitoken",)
CHANGE = ("crm.view_apitoken", "crm.change_apitoken")
DAYS = 90


class TokenForm(ActionForm):
    tenant = forms.ModelChoiceField(
        Tenant.objects.all(), initial=lambda: Tenant.objects.first(), empty_label=None
    )
    name = forms.CharField(
        max_length=120, required=False, help_text="Who it is for; the audit record shows it."
    )
    roles = forms.CharField(
        max_length=200,
        required=False,
        help_text=f"Split by blanks: {', '.join(role for role in ROLES if role != SELF_CARE)}.",
    )
    msisdn = forms.CharField(
        max_length=20,
        required=False,
        label="Or a customer's own: MSISDN",
        help_text="For the view of the subscriber with this number (self_care), and nothing else.",
    )
    days = forms.IntegerField(min_value=1, max_value=LONGEST.days, initial=DAYS, label="Counts for (days)")


def _make(request: HttpRequest, obj: None, form: TokenForm) -> IssuedToken:
    data, now = form.cleaned_data, utc_now()
    tenant, name, roles, subscriber_id = data["tenant"].code, data["name"], data["roles"].split(), None
    demand_giver(request.user, data["tenant"].pk, roles)
    if data["msisdn"]:
        if roles:
            raise InvalidInput(
                "a customer's own token has no other role; leave the roles empty", where="roles"
            )
        subscriber = get_subscriber(tenant, now=now, msisdn=data["msisdn"])
        subscriber_id, roles = subscriber.id, [SELF_CARE]
        name = name or f"subscriber {subscriber.number}"
    return create_api_token(
        tenant,
        name,
        roles,
        now=now,
        lifetime=timedelta(days=data["days"]),
        by=request.user.get_username(),
        subscriber_id=subscriber_id,
    )


def _pack(issued: IssuedToken) -> str:
    values = asdict(issued) | {"expires_at": issued.expires_at.isoformat()}
    return seal(json.dumps(values))


def _unpack(sealed: str) -> IssuedToken:
    values = json.loads(unseal(sealed))
    values |= {"roles": tuple(values["roles"]), "expires_at": datetime.fromisoformat(values["expires_at"])}
    return IssuedToken(**values)


def _counts(token: ApiToken) -> bool:
    return token.revoked_at is None and token.expires_at > utc_now()


def _revoke(request: HttpRequest, token: ApiToken, form: ActionForm) -> str:
    revoke_api_tokens(now=utc_now(), token_id=token.pk)
    admin.site.get_model_admin(ApiToken).log_change(request, token, "Revoked")
    return f"The token of {token.name} is refused from now on."


class CountsFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return (("counts", "Counts"), ("expired", "Expired"), ("revoked", "Revoked"))

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        now = utc_now()
        if self.value() == "counts":
            return queryset.filter(revoked_at=None, expires_at__gt=now)
        if self.value() == "expired":
            return queryset.filter(revoked_at=None, expires_at__lte=now)
        if self.value() == "revoked":
            return queryset.exclude(revoked_at=None)
        return queryset


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "begins", "tenant", "roles", "of", "expires_label", "state_label")
    list_filter = (CountsFilter, ("tenant", RelatedDropdownFilter))
    list_select_related = ("tenant", "subscriber")
    search_fields = ("name", "=hint", "=created_by", "=subscriber__number")
    search_help_text = "Name; or how it begins, who made it, a subscriber's number, in full"
    ordering = ("-pk",)
    paginator = InfinitePaginator
    fields = (
        ("name", "begins"),
        ("tenant", "roles"),
        ("of", "state_label"),
        ("created_label", "created_by"),
        ("expires_label", "revoked_label"),
    )
    page_actions = (
        PageAction(
            "make",
            "Make a token",
            ADD,
            _make,
            TokenForm,
            icon="add",
            primary=True,
            on_list=True,
            submit="Make it",
            result_template="admin/crm/token.html",
            once=Once(_pack, _unpack),
            explain=lambda _: (
                "A bearer token for REST, for a program that cannot sign or for a customer. It is shown once; only its "
                "hash is kept."
            ),
        ),
        PageAction(
            "revoke",
            "Revoke",
            CHANGE,
            _revoke,
            icon="block",
            danger=True,
            offered=_counts,
            explain=lambda token: f"Calls with the token of {token.name} are refused from now on.",
        ),
    )

    @display(description="Begins with", ordering="hint")
    def begins(self, token: ApiToken) -> str:
        return f"{token.hint}…"

    @display(description="Of subscriber", ordering="subscriber")
    def of(self, token: ApiToken) -> Any:
        return link_to(token.subscriber) if token.subscriber else "–"

    @display(description="Made", ordering="created_at")
    def created_label(self, token: ApiToken) -> Any:
        return instant(token.created_at)

    @display(description="Counts until", ordering="expires_at")
    def expires_label(self, token: ApiToken) -> Any:
        return instant(token.expires_at)

    @display(description="Revoked", ordering="revoked_at")
    def revoked_label(self, token: ApiToken) -> Any:
        return instant(token.revoked_at) if token.revoked_at else "–"

    @display(description="State")
    def state_label(self, token: ApiToken) -> Any:
        if token.revoked_at is not None:
            return badge("Revoked", "danger")
        return badge("Counts", "success") if _counts(token) else badge("Expired", "warning")
