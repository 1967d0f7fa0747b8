"""Which offers are one product, and why."""
