"""Alipay: the payment channel over python-alipay-sdk, without state."""

from wharfage.adapters.alipay.channel import AlipayChannel
from wharfage.adapters.rsa_keys import UnusableKey

__all__ = ["AlipayChannel", "UnusableKey"]
