"""Where the product runs: nested stacks for AWS, and one machine that stands in for them."""
