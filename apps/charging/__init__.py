"""Who pays: accounts, allowances and the ledger (3GPP: ABMF and OCF)."""
