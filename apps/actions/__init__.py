"""Actions on accounts: groups of them, plans that carry them out at their times, and errands (calls, mails)."""
