"""Rated records are priced again by another tariff version: seen first, then applied or taken back."""
