"""Benchmarks of the hot paths; ``./run bench`` runs them (see ``run.py``)."""
