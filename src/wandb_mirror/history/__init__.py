"""History as upstream sends it, turned into columns."""
