"""Who uses: customers, subscribers, their resources and lifecycle."""
