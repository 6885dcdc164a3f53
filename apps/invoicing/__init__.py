"""From a bill to the document that the customer gets."""
