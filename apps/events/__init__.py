"""The outbox: what happened, written with the change, and handed to whoever wants to know after its commit."""
