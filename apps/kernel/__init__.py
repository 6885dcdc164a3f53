"""What every room agrees on: money, units, periods, rounding, errors and the clock.

Only the standard library is imported here, so anything may import the kernel.
"""
