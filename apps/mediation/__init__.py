"""Usage files in: formats, the loader, suspense (3GPP: mediation)."""
