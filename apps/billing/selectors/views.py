"""Rows that other rooms may join in SQL of their own: ``FROM {CYCLES} y``."""

BILLED_ACCOUNTS = "(SELECT account_id, cycle_id, next_cycle_id FROM billing_billingaccount)"
CYCLES = "(SELECT id, number FROM billing_billcycle)"
