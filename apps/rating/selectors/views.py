"""Rows that other rooms may join in SQL of their own: ``FROM {TENANTS} t``. Columns are named by what they mean."""

TENANTS = "(SELECT id, code, time_zone FROM rating_tenant)"
PLANS = "(SELECT id, code, name, currency, monthly_fee_micros, expiration_date FROM rating_priceplan)"
BUNDLES = "(SELECT id, code, name, currency, monthly_fee_micros FROM rating_bundle)"
