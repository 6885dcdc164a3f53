"""What the audit proves of re-ratings."""

from __future__ import annotations

from apps.charging.selectors import ACCOUNTS
from apps.charging.services.audit import Proof, add_proof
from apps.mediation.selectors import CORRECTIONS
from apps.storage.dialect import joined


def register() -> None:
    """Have every audit prove that what was applied is on the records, and nothing else."""
    on_records = (
        "CASE WHEN r.state IN ('applied', 'stuck') THEN r.cost_after_micros - r.cost_before_micros ELSE 0 END"
    )
    cause = joined("'rerate:'", "r.job_id", "':'", "r.account_id")
    add_proof(
        Proof(
            "re-ratings",
            "rerating_rerateaccount",
            "re-rating {}, account {}",
            "added to its records in micro-units",
            f"SELECT r.job_id, a.number, {on_records}, COALESCE(SUM(c.added_micros), 0)"
            f" FROM rerating_rerateaccount r JOIN {ACCOUNTS} a ON a.id = r.account_id"
            f" LEFT JOIN {CORRECTIONS} c ON c.cause = {cause} AND c.taken_back_at IS NULL"
            " WHERE r.id BETWEEN {low} AND {high}"
            " GROUP BY r.id, r.job_id, a.number, r.state, r.cost_after_micros, r.cost_before_micros"
            f" HAVING {on_records} <> COALESCE(SUM(c.added_micros), 0) ORDER BY r.id",
        )
    )
