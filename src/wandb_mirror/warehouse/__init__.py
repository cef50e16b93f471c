"""The warehouse: full history and the flattened tables, in a DuckDB file of the syncing process."""
