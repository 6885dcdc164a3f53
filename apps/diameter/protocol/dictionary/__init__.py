"""The dictionary: every AVP that is known by name, a file a concern; grammars say where each belongs."""

from __future__ import annotations

from apps.diameter.protocol.definitions import AvpDefinition
from apps.diameter.protocol.dictionary import (
    base_avps,
    credit_control_avps,
    gy_quota_avps,
    ims_avps,
    location_avps,
    messaging_avps,
    other_charging_avps,
    packet_switched_avps,
    radius_avps,
    radius_vendor_avps,
)

DEFINITIONS: tuple[AvpDefinition, ...] = (
    base_avps.DEFINITIONS
    + credit_control_avps.DEFINITIONS
    + gy_quota_avps.DEFINITIONS
    + packet_switched_avps.DEFINITIONS
    + radius_vendor_avps.DEFINITIONS
    + ims_avps.DEFINITIONS
    + messaging_avps.DEFINITIONS
    + location_avps.DEFINITIONS
    + radius_avps.DEFINITIONS
    + other_charging_avps.DEFINITIONS
)
BY_KEY: dict[int, AvpDefinition] = {definition.key: definition for definition in DEFINITIONS}
BY_NAME: dict[str, AvpDefinition] = {definition.name: definition for definition in DEFINITIONS}
