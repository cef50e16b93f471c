"""Upstream: the W&B server, spoken to politely and distrusted."""
