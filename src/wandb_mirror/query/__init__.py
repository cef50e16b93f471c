"""Queries: W&B's filters over the published file, and SQL."""
