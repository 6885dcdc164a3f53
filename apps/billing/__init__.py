"""Bill cycles, activities, bill runs, recurring charges, taxes, adjustments and payments."""
