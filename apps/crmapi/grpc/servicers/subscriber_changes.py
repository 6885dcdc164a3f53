"""Which fields a change of a subscriber names, by its mask or, without one, the non-empty ones."""

from __future__ import annotations

from typing import Any

from apps.crm.domain.subscribers import SubscriberChange
from apps.crmapi.grpc.pb import crm_pb2
from apps.crmapi.grpc.servicers.subscriber_messages import card_of
from apps.crmapi.grpc.servicers.values import instant_of, not_negative, texts
from apps.kernel.errors import InvalidInputs, Problem
from apps.mediation.pb import billing_pb2

# Path in the message → field of SubscriberChange.
FIELDS = {
    "name": "name",
    "customer.name": "customer_name",
    "customer.kind": "customer_kind",
    "customer.email": "email",
    "customer.phone": "phone",
    "customer.tax_number": "tax_number",
    "customer.locale": "locale",
    "address.street": "street",
    "address.address_line2": "address_line2",
    "address.postcode": "postcode",
    "address.city": "city",
    "address.region": "region",
    "address.country": "country",
    "price_plan_id": "price_plan_id",
    "price_plan": "price_plan",
    "bill_cycle": "cycle",
    "resource.msisdn": "msisdn",
    "resource.imsi": "imsi",
    "resource.handset": "handset",
}
# A path that names a whole message names all of its fields.
GROUPS = ("customer", "address", "resource")
NUMBERS = frozenset({"price_plan_id", "bill_cycle"})


# Fields as errors of use cases name them → path in the message.
PLACES = {field: path for path, field in FIELDS.items()} | {
    "start": "activated_at",
    "opening_balance_micros": "balance.amount_micros",
    "remove_card": "card",
}


def subscriber_change(request: crm_pb2.ModifySubscriberRequest) -> SubscriberChange:
    """What a ModifySubscriber call changes; raises InvalidInputs for paths that cannot be changed."""
    message = request.subscriber
    paths, problems = _paths(request)
    given: dict[str, Any] = {}
    for path in paths:
        if path == "card":
            given["card"] = card_of(message)
            # Named by the mask and empty: it is taken away.
            given["remove_card"] = given["card"] is None
            continue
        value = _value(message, path)
        if path in NUMBERS and value <= 0:
            problems.append(Problem(path, "this cannot be emptied: give the new one"))
            continue
        given[FIELDS[path]] = value
    if problems:
        raise InvalidInputs(problems)
    return SubscriberChange(
        **given,
        plan_from=instant_of(request.plan_from, "plan_from"),
        add_bundles=texts(request.add_bundles),
        end_bundles=texts(request.end_bundles),
        bundles_from=instant_of(request.bundles_from, "bundles_from"),
    )


def older_change(message: billing_pb2.Subscriber) -> SubscriberChange:
    """What an UpdateSubscriber call (the older name) changes: all that is not empty, its number being its name.

    An older client sends the whole subscriber back: the MSISDN names it if there is no id.
    """
    request = crm_pb2.ModifySubscriberRequest(subscriber=message)
    not_negative(message.id, "id")
    if not message.id:
        request.subscriber.resource.msisdn = ""
    return subscriber_change(request)


def _paths(request: crm_pb2.ModifySubscriberRequest) -> tuple[list[str], list[Problem]]:
    if not request.HasField("update_mask") or not request.update_mask.paths:
        found = [path for path in FIELDS if _value(request.subscriber, path)]
        if card_of(request.subscriber) is not None:
            found.append("card")
        # The answer of a read, sent back with changes, carries the plan twice; the id decides.
        if "price_plan_id" in found and "price_plan" in found:
            found.remove("price_plan")
        return found, []
    paths: list[str] = []
    problems = []
    for path in request.update_mask.paths:
        if path in GROUPS:
            paths += [known for known in FIELDS if known.startswith(f"{path}.")]
        elif path in FIELDS or path == "card":
            paths.append(path)
        else:
            problems.append(
                Problem(
                    "update_mask",
                    f"“{path[:60]}” cannot be changed; there are {', '.join((*GROUPS, 'card', *FIELDS))}",
                )
            )
    return list(dict.fromkeys(paths)), problems


def _value(message: Any, path: str) -> Any:
    for part in path.split("."):
        message = getattr(message, part)
    return message
