"""What usage costs: tariffs, price plans and the Rater (3GPP: rating function)."""
