"""Prepaid value on cards and slips: generated, redeemed once, blocked, and kept from being guessed."""
