"""Checks of what is deployed, without a container engine."""
