"""A signed stand-in for Alipay's gateway on loopback: cashier, query, close, notifies, faults."""
