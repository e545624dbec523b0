"""Wharfage: a prepaid container cloud."""

__version__ = "0.1.0"
