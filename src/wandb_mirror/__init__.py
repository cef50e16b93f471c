"""A local copy of Weights & Biases data: synced incrementally, queried with SQL, edited offline."""
