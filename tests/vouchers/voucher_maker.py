"""Generates a batch of vouchers and says how far it is, for the test that kills it: COUNT KEY."""

from __future__ import annotations

import sys
from datetime import timedelta

import django


def main() -> None:
    django.setup()
    from apps.kernel.clock import utc_now
    from apps.rating.models import Tenant
    from apps.vouchers.services.batches import NewBatch, generate_batch

    now, count = utc_now(), int(sys.argv[1])
    order = NewBatch("killed", count, 1_000_000, now + timedelta(days=1))
    generate_batch(
        Tenant.objects.get(), order, now, key=sys.argv[2], report=lambda done: print(done, flush=True)
    )
    print("done", flush=True)


if __name__ == "__main__":
    main()
