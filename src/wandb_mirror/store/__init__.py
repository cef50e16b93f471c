"""The store: metadata of every kind, checkpoints and books, in one SQLite file."""
