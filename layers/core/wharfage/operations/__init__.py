"""The verbs of the product: each reads, decides, and commits one transaction."""
