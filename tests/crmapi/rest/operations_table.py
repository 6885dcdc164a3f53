"""Every operation of the REST door: who may, and a request that succeeds. Ids in braces are names of the world."""

from __future__ import annotations

from typing import Any, NamedTuple


class Ask(NamedTuple):
    """``roles``: C crm_agent, B billing, A auditor, S self-care; admin may everything that staff may."""

    method: str
    path: str
    roles: str
    status: int = 200
    body: Any = None
    key: bool = False
    """Whether it needs an ``Idempotency-Key``."""


PERIOD_NOT_BILLED = {"year": 2026, "month": 9}
TABLE = (
    Ask("GET", "subscribers", "CBA"),
    Ask(
        "POST",
        "subscribers",
        "C",
        201,
        {
            "msisdn": "+491770000001",
            "mode": "prepaid",
            "price_plan": "{plan_code}",
            "customer": {"name": "Ada", "kind": "person", "email": "ada@example.com"},
            "address": {"city": "Kiel", "country": "DE"},
            "card": {"token": "tok_abc", "brand": "Visa", "last_four": "4242"},
            "opening_balance": "5.00",
        },
    ),
    Ask("GET", "subscribers/{prepaid}", "CBA"),
    Ask("PATCH", "subscribers/{prepaid}", "C", 200, {"address": {"city": "Hamburg"}, "card": None}),
    Ask("POST", "subscribers/{prepaid}/suspend", "CB"),
    Ask("POST", "subscribers/{prepaid}/reactivate", "CB"),
    Ask("GET", "subscribers/{prepaid}/usage", "CBA"),
    Ask("GET", "subscribers/{prepaid}/allowances", "CBA"),
    Ask("POST", "subscribers/{prepaid}/tokens", "C", 201, {"hours": 24}),
    Ask("DELETE", "subscribers/{prepaid}/tokens", "C"),
    Ask("GET", "resources?kind=msisdn", "CA"),
    Ask("GET", "accounts", "CBA"),
    Ask("GET", "accounts/{account}", "CBA"),
    Ask("GET", "accounts/{account}/balances", "CBA"),
    Ask("GET", "accounts/{account}/ledger", "CBA"),
    Ask("POST", "accounts/{account}/top-ups", "CB", 201, {"amount": "12.5"}, key=True),
    Ask("POST", "accounts/{account}/adjustments", "B", 201, {"amount": "-1", "note": "why"}, key=True),
    Ask("GET", "accounts/{account}/redemption-lock", "CBA"),
    Ask("POST", "accounts/{account}/redemption-lock/lift", "C", 200, {"reason": "identified"}),
    Ask("GET", "balances/{balance}", "CBA"),
    Ask("POST", "rate", "CBA", 200, {"service": "sms", "usage": 2, "price_plan": "{plan_code}"}),
    Ask("GET", "bills", "CBA"),
    Ask("GET", "bills/{bill}", "CBA"),
    Ask("GET", "bills/{bill}/pdf", "CBA"),
    Ask("POST", "bills/{bill}/reformat", "B", 202, {"reason": "lost"}),
    Ask("POST", "bills/{postpaid_bill}/payments", "B", 201, {"amount_micros": 1, "reference": "TX-1"}),
    Ask("GET", "activities", "CBA"),
    Ask("GET", "activities/{activity}", "CBA"),
    Ask(
        "POST", "activities/single-billings", "CB", 202, {"subscriber_id": "{postpaid}", **PERIOD_NOT_BILLED}
    ),
    Ask("POST", "activities/bill-runs", "B", 202, {"cycle": "{cycle}", **PERIOD_NOT_BILLED}),
    Ask("POST", "bills/{postpaid_bill}/cancel", "B", 200, {"reason": "wrong price"}),
    Ask("GET", "voucher-batches", "CBA"),
    Ask(
        "POST",
        "voucher-batches",
        "",
        201,
        {"name": "Spring", "count": 3, "amount": "10", "expires_at": "2099-12-31T00:00:00Z", "active": False},
        key=True,
    ),
    Ask("GET", "voucher-batches/{batch}", "CBA"),
    Ask("POST", "voucher-batches/{inactive_batch}/activate", "C", 200, {}),
    Ask("POST", "voucher-batches/{inactive_batch}/void", "C", 200, {"reason": "stolen"}),
    Ask("GET", "vouchers", "CBA"),
    Ask("POST", "vouchers/redeem", "C", 200, {"pin": "{pin}", "account_id": "{account}"}),
    Ask("GET", "vouchers/{serial}", "CBA"),
    Ask("POST", "vouchers/{serial}/block", "C", 200, {"reason": "stolen"}),
    Ask("POST", "vouchers/{serial}/unblock", "C", 200, {}),
    Ask("POST", "vouchers/{serial}/extend", "C", 200, {"expires_at": "2099-12-31T00:00:00Z"}),
    Ask("POST", "vouchers/{serial}/void", "C", 200, {}),
    Ask("GET", "triggers", "CBA"),
    Ask(
        "POST",
        "triggers",
        "B",
        201,
        {"name": "Low", "kind": "below", "threshold": "5.00", "account_id": "{account}"},
    ),
    Ask("GET", "triggers/{trigger}", "CBA"),
    Ask("PATCH", "triggers/{trigger}", "B", 200, {"enabled": False, "threshold_micros": 7}),
    Ask("POST", "triggers/{unfired}/reset", "B", 200, {"account_id": "{account}"}),
    Ask("DELETE", "triggers/{unfired}", "B"),
    Ask("GET", "trigger-firings", "CBA"),
    Ask("GET", "accounts/{account}/spending-cap", "CBA"),
    Ask("POST", "accounts/{account}/spending-cap", "B", 200, {"limit": "50.00"}),
    Ask("DELETE", "accounts/{account}/spending-cap", "B"),
    Ask("GET", "shared-groups/{shared_group}/limits", "CBA"),
    Ask("POST", "shared-groups/{shared_group}/limits/{account}/{limited}", "B", 200, {"limit": 5}),
    Ask("DELETE", "shared-groups/{shared_group}/limits/{account}/{limited}", "B"),
    Ask("GET", "action-groups", "CBA"),
    Ask("POST", "accounts/{account}/actions", "CB", 201, {"group": "MONTHLY_BONUS"}, key=True),
    Ask("GET", "accounts/{account}/action-plans", "CBA"),
    Ask("POST", "accounts/{account}/action-plans", "CB", 201, {"plan": "WELCOME"}),
    Ask("DELETE", "accounts/{account}/action-plans/{action_plan}", "CB"),
    Ask("GET", "reference", "CBAS"),
    Ask("GET", "price-plans", "CBAS"),
    Ask("GET", "price-plans/{plan}", "CBAS"),
    Ask("GET", "bundles", "CBAS"),
    Ask("GET", "bundles/{bundle}", "CBAS"),
    Ask("GET", "services", "CBAS"),
    Ask("GET", "bill-cycles", "CBAS"),
    Ask("GET", "suspense", "BA"),
    Ask("GET", "suspense/{suspense}", "BA"),
    Ask("PATCH", "suspense/{suspense}", "B", 200, {"msisdn": "4915550000001"}),
    Ask("POST", "suspense/recycle", "B", 200, {"ids": ["{suspense}"]}),
    Ask("POST", "suspense/discard", "B", 200, {"ids": ["{suspense}"]}),
    Ask("GET", "statistics", "CBA"),
    Ask("GET", "audit", "A"),
    Ask("GET", "notifications", "CBA"),
    Ask("POST", "notifications/{notification}/acknowledge", "CB"),
    Ask("GET", "me", "S"),
    Ask("GET", "me/balances", "S"),
    Ask("GET", "me/ledger", "S"),
    Ask("GET", "me/allowances", "S"),
    Ask("GET", "me/usage", "S"),
    Ask("GET", "me/bills", "S"),
    Ask("GET", "me/bills/{bill}", "S"),
    Ask("GET", "me/bills/{bill}/pdf", "S"),
    Ask("POST", "me/rate", "S", 200, {"service": "sms", "usage": 1}),
    Ask("POST", "me/vouchers/redeem", "S", 200, {"pin": "{own_pin}"}),
    # The last one: nothing is the same after it.
    Ask("POST", "subscribers/{prepaid}/terminate", "C"),
)
ROLES = {"C": "crm_agent", "B": "billing", "A": "auditor", "S": "self_care"}


def filled(value: Any, names: dict[str, Any]) -> Any:
    """The value with the world's names put in; one that is a name alone keeps its type."""
    if isinstance(value, dict):
        return {name: filled(inner, names) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, names) for inner in value]
    if isinstance(value, str) and "{" in value:
        if value.startswith("{") and value.endswith("}"):
            return names[value[1:-1]]
        return value.format(**names)
    return value
