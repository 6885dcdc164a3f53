"""The outbox: what happened, written with the change, and delivered to its consumers after the commit."""
