"""Why usage cannot be priced, as stable codes."""

from __future__ import annotations

from apps.kernel.errors import BssError

INVALID_USAGE = "invalid_usage"
NO_RATING_PLAN = "no_rating_plan"
UNAUTHORISED_DESTINATION = "unauthorised_destination"
NO_RATE_INTERVAL = "no_rate_interval"
PLAN_EXPIRED = "plan_expired"


class RatingError(BssError):
    """Usage that has no price under this tariff.

    Codes: ``invalid_usage`` (the usage itself is wrong), ``no_rating_plan`` (no rating profile of the
    subject, nor of ``*any``, is active), ``unauthorised_destination`` (profiles were found, but neither they
    nor their fallbacks have the destination), ``no_rate_interval`` (the destination is priced, but no
    timing covers the instant) and ``plan_expired`` (the price plan ended before the usage began).
    """

    code = "rating_error"
