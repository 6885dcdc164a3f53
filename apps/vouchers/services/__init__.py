"""Changes of the vouchers room."""
