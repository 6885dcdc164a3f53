"""The REST door: Django REST framework, its OpenAPI document and its limits."""

from bss_project.settings import environment as env

# Requests a minute from one address whose token does not count; more are answered 429. Guessing is slow.
REST_REFUSALS_A_MINUTE = env.integer("BSS_REST_REFUSALS_A_MINUTE", 60)
# Requests a second of one customer with a token of their own, and how many at once (0 = no limit). Clients have the
# limit of their row, or BSS_API_CALLS_A_SECOND. Each web process counts for itself.
REST_SELF_CARE_CALLS_A_SECOND = env.integer("BSS_REST_SELF_CARE_CALLS_A_SECOND", 5)
REST_SELF_CARE_BURST = env.integer("BSS_REST_SELF_CARE_BURST", 30)
# How long a customer's own token is valid by default, hours.
REST_SELF_CARE_TOKEN_H = env.integer("BSS_REST_SELF_CARE_TOKEN_H", 24 * 30)

# The largest body of a request that is read.
REST_MAX_BODY_OCTETS = env.integer("BSS_REST_MAX_BODY_OCTETS", 1_000_000)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.crmapi.rest.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.crmapi.rest.parsers.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "apps.crmapi.rest.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

_DESCRIPTION = """\
Charging and billing over HTTP.

**Tokens.** Every request carries `Authorization: Bearer TOKEN`: a JWT (HS256) of a registered client, or an opaque
token (`manage.py apitoken create`). A token belongs to one tenant and has roles; what it may not see is not found.

**Money** is decimal text (`"12.5"`), and next to it the same in whole micro-units (`12500000`) under the name with
`_micros`. Requests give either. **Times** are ISO 8601, in UTC in answers; periods contain their start and not their
end. **Usage** counts seconds, octets, messages or events, as `unit` says.

**Lists** come in pages: `limit` items, and `next_cursor` for the next page. **POSTs** take an `Idempotency-Key`:
repeated with the same body they are answered as the first time (`Idempotency-Replayed: true`); nothing is done twice.

**Errors** are problem documents (RFC 9457, `application/problem+json`) with a stable `code`.
"""
_CHOICES = "apps.crmapi.rest.shapes.choices."
SPECTACULAR_SETTINGS = {
    "TITLE": "BSS REST API",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": _DESCRIPTION,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "persistAuthorization": False,
        "displayRequestDuration": True,
        "docExpansion": "list",
        "defaultModelsExpandDepth": 0,
        "tryItOutEnabled": False,
    },
    "ENUM_NAME_OVERRIDES": {
        "SubscriberStatus": _CHOICES + "SUBSCRIBER_STATUS",
        "AccountMode": _CHOICES + "ACCOUNT_MODE",
        "CustomerKind": _CHOICES + "CUSTOMER_KIND",
        "BalanceKind": _CHOICES + "BALANCE_KIND",
        "LedgerKind": _CHOICES + "LEDGER_KIND",
        "LedgerBook": _CHOICES + "LEDGER_BOOK",
        "BillKind": _CHOICES + "BILL_KIND",
        "BillStatus": _CHOICES + "BILL_STATUS",
        "BillLineKind": _CHOICES + "BILL_LINE_KIND",
        "ActivityStatus": _CHOICES + "ACTIVITY_STATUS",
        "ActivityType": _CHOICES + "ACTIVITY_TYPE",
        "RunState": _CHOICES + "RUN_STATE",
        "NotificationLevel": _CHOICES + "NOTIFICATION_LEVEL",
        "ResourceKind": _CHOICES + "RESOURCE_KIND",
        "SuspenseState": _CHOICES + "SUSPENSE_STATE",
        "TriggerKind": _CHOICES + "TRIGGER_KIND",
        "TriggerAction": _CHOICES + "TRIGGER_ACTION",
        "UsageUnit": _CHOICES + "USAGE_UNIT",
        "AllowanceOrigin": _CHOICES + "ALLOWANCE_ORIGIN",
        "VoucherStatus": _CHOICES + "VOUCHER_STATUS",
        "VoucherHandover": _CHOICES + "VOUCHER_HANDOVER",
    },
    "TAGS": [
        {"name": "Subscribers", "description": "Who uses: lines, their numbers, plans and lifecycle."},
        {"name": "Accounts", "description": "Who pays: accounts, balances, ledger, top-ups."},
        {"name": "Usage", "description": "Rated usage, free units, and what usage would cost."},
        {"name": "Bills", "description": "Bills and statements, their PDFs, payments."},
        {"name": "Activities", "description": "Billing on demand, and how far it is."},
        {"name": "Actions", "description": "Groups of actions carried out on accounts, and action plans."},
        {"name": "Vouchers", "description": "Batches, vouchers, redemption."},
        {"name": "Triggers", "description": "What happens when balances cross a threshold, and what did."},
        {"name": "Reference", "description": "Price plans, bundles, services, bill cycles, free numbers."},
        {"name": "Suspense", "description": "Usage records that could not be rated."},
        {"name": "Operations", "description": "Statistics and news for operators."},
        {"name": "Me", "description": "A customer's own view, with their own token."},
    ],
}
