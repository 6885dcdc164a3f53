"""Which modules are worth compiling: those that compute for every usage record and every message.

Modules that mostly wait for the database or the network are not: compiled or not, they cost a request the same.
"""

from __future__ import annotations

HOT_MODULES: tuple[str, ...] = (
    # Rating.
    "apps.rating.domain.allowances",
    "apps.rating.domain.flat",
    "apps.rating.domain.numbering",
    "apps.rating.domain.rater",
    "apps.rating.domain.rates",
    "apps.rating.domain.resolution",
    "apps.rating.domain.timings",
    "apps.rating.domain.usage",
    "apps.rating.domain.walk",
    # CDR files.
    "apps.charging.domain.usage_book",
    "apps.storage.upserts",
    "apps.mediation.domain.checks",
    "apps.mediation.domain.records",
    "apps.mediation.formats.protobuf",
    "apps.mediation.services.batches",
    "apps.mediation.services.cdr_writer",
    "apps.mediation.services.file_contents",
    "apps.mediation.services.sorted_records",
    # Diameter messages.
    "apps.diameter.protocol.answers",
    "apps.diameter.protocol.decoding",
    "apps.diameter.protocol.encoding",
    "apps.diameter.protocol.framing",
    "apps.diameter.protocol.header",
    "apps.diameter.protocol.inspection",
    "apps.diameter.protocol.layouts",
    "apps.diameter.protocol.peer",
    "apps.diameter.protocol.values",
)
