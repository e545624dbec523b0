"""Cards by Stripe's Checkout: the payment channel over its API, without state."""

from wharfage.adapters.stripe.channel import StripeChannel

__all__ = ["StripeChannel"]
