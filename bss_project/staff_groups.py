"""Groups of staff and what each may do; ``manage.py creategroups`` writes them."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission
from django.db import transaction

ROOMS = (
    "events",
    "rating",
    "subscribers",
    "charging",
    "vouchers",
    "actions",
    "mediation",
    "insight",
    "billing",
    "rerating",
    "invoicing",
    "diameter",
    "crm",
)


@dataclass(frozen=True)
class StaffGroup:
    """A group: it may view what the product keeps, and add or change the models named (``app.model``).

    ``actions`` are single permissions beyond that, as ``app.codename``.
    """

    name: str
    changes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


GROUPS = (
    StaffGroup(
        "operator",
        changes=(
            "subscribers.customer",
            "subscribers.subscriber",
            "subscribers.resource",
            "subscribers.resourceassignment",
            "subscribers.planassignment",
            "subscribers.bundleassignment",
            "charging.account",
            "mediation.source",
        ),
        actions=(
            # Top-ups and goodwill at the counter; every one is an entry of the ledger with a name.
            "charging.add_ledgerentry",
            # Vouchers blocked for a customer, and a customer let in again after wrong PINs.
            "vouchers.change_voucher",
            "vouchers.change_redemptionguard",
            # Plans given to accounts, refused actions settled, calls and mails sent again.
            "actions.add_accountplan",
            "actions.delete_accountplan",
            "actions.change_refusedactions",
            "actions.change_errand",
            # Accounts barred, and let in again, while fraud is suspected or because the customer asks.
            "charging.add_accountbar",
            "charging.delete_accountbar",
            # What an error of ours left uncharged, once it is put right.
            "charging.change_failedrequest",
            "mediation.change_suspendedrecord",
            "mediation.change_sessionrecord",
            "mediation.add_cdrfile",
            "billing.change_notification",
        ),
    ),
    StaffGroup(
        "billing",
        changes=(
            "rating.service",
            "rating.priceplan",
            "rating.priceplanservice",
            "rating.bundle",
            "rating.bundleservice",
            "rating.timing",
            "rating.destination",
            "rating.destinationprefix",
            "rating.rate",
            "rating.rateslot",
            "rating.destinationrate",
            "rating.destinationrateentry",
            "rating.ratingplan",
            "rating.ratingplanentry",
            "rating.ratingprofile",
            "rating.tariffdraft",
            "insight.whatif",
            "rating.supplier",
            "charging.quotapolicy",
            "charging.balancetrigger",
            "charging.triggerset",
            "charging.sharedgroup",
            "charging.sharedgroupterms",
            "mediation.derivedcharger",
            "actions.actiongroup",
            "actions.action",
            "actions.actionplan",
            "actions.actionplanentry",
            "billing.billcycle",
            "billing.billingaccount",
            "billing.recurringcharge",
            "billing.oneoffcharge",
            "billing.discount",
            "billing.taxrule",
            "rerating.reratejob",
        ),
        actions=(
            *(
                f"rating.delete_{model}"
                for model in (
                    "timing",
                    "destination",
                    "rate",
                    "rateslot",
                    "destinationrate",
                    "destinationrateentry",
                    "ratingplan",
                    "ratingplanentry",
                    "ratingprofile",
                    "priceplanservice",
                    "bundleservice",
                )
            ),
            "mediation.delete_derivedcharger",
            "actions.delete_action",
            "actions.delete_actionplanentry",
            # Groups carried out on accounts; what is refused is listed.
            "actions.add_refusedactions",
            "actions.add_accountplan",
            "actions.delete_accountplan",
            "actions.change_refusedactions",
            "actions.change_errand",
            "rating.publish_tariffdraft",
            "billing.add_activity",
            "billing.change_activity",
            # Bills cancelled by credit notes.
            "billing.change_bill",
            "billing.change_billrun",
            "billing.add_payment",
            "billing.change_notification",
            "invoicing.add_billdocument",
            "charging.add_ledgerentry",
            # Postings between the operator's own books.
            "charging.add_bookposting",
            "vouchers.add_voucherbatch",
            "vouchers.change_voucher",
        ),
    ),
    StaffGroup("auditor"),
)


@transaction.atomic
def create_groups() -> list[Group]:
    """Create the groups, or bring their permissions up to date; permissions added by hand to them are kept."""
    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type").filter(
            content_type__app_label__in=ROOMS
        )
    }
    viewing = [
        permission
        for name, permission in known.items()
        if permission.codename.startswith("view_") and ".view_historical" not in name
    ]
    groups = []
    for described in GROUPS:
        group, _ = Group.objects.get_or_create(name=described.name)
        wanted = [
            f"{app}.{verb}_{model}"
            for app, model in (label.split(".") for label in described.changes)
            for verb in ("add", "change")
        ]
        wanted += described.actions
        group.permissions.add(*viewing, *(known[name] for name in wanted if name in known))
        groups.append(group)
    return groups
