"""The nouns of the product and their rules, with no input or output."""
