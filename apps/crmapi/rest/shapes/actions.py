"""Groups of actions and action plans in JSON."""

from __future__ import annotations

from rest_framework import serializers

from apps.crmapi.rest.fields import InstantField, RequestBody, Shape, StrictText


class ActionGroupShape(Shape):
    """Actions that are carried out together (CGRateS: ActionsId)."""

    id = serializers.IntegerField()
    code = serializers.CharField()
    tariff_plan = serializers.CharField(help_text="`*shared`, or the tenant's own.")
    actions = serializers.ListField(
        child=serializers.CharField(), help_text="In their order, such as `*topup 10`."
    )


class DueActionShape(Shape):
    plan = serializers.CharField()
    group = serializers.CharField()
    timing = serializers.CharField(help_text="`*asap`, `*monthly` and the like, or the id of a timing.")
    assigned_at = InstantField()
    due_at = InstantField(allow_null=True, help_text="Null: never again.")
    done_at = InstantField(allow_null=True, help_text="The due time that was carried out last.")
    done_count = serializers.IntegerField()


class AccountPlanShape(Shape):
    account_id = serializers.IntegerField()
    plan = serializers.CharField()
    due = DueActionShape(many=True)


class ActionsRunShape(Shape):
    account_id = serializers.IntegerField()
    group = serializers.CharField()
    cause = serializers.CharField(
        help_text="Causes of its movements in the ledger begin with `action:` and this."
    )


class RunActionsBody(RequestBody):
    group = StrictText(max_length=64, help_text="A group's id.")


class AccountPlanBody(RequestBody):
    plan = StrictText(max_length=64, help_text="An action plan's id.")
