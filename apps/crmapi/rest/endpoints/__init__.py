"""The endpoints of the REST door, by what they are about."""

from apps.crmapi.rest.endpoints import (
    accounts,
    actions,
    bills,
    me,
    operators,
    reference,
    subscribers,
    triggers,
    usage,
    vouchers,
)

ENDPOINTS = (
    *subscribers.ENDPOINTS,
    *accounts.ENDPOINTS,
    *usage.ENDPOINTS,
    *bills.ENDPOINTS,
    *vouchers.ENDPOINTS,
    *triggers.ENDPOINTS,
    *actions.ENDPOINTS,
    *reference.ENDPOINTS,
    *operators.ENDPOINTS,
    *me.ENDPOINTS,
)
