"""Customers' own tokens in JSON."""

from __future__ import annotations

from rest_framework import serializers

from apps.crmapi.rest.fields import InstantField, RequestBody, Shape, StrictInteger, TextOrNull


class IssuedTokenShape(Shape):
    """A customer's own token. It is shown this once: null if the request is repeated."""

    id = serializers.IntegerField()
    token = TextOrNull()
    name = serializers.CharField()
    subscriber_id = serializers.IntegerField(allow_null=True)
    expires_at = InstantField()


class NewTokenBody(RequestBody):
    hours = StrictInteger(min_value=1, max_value=8_784, required=False, help_text="How long it counts.")


class RevokedShape(Shape):
    revoked = serializers.IntegerField(help_text="How many tokens counted until now.")
