"""The mirror: its folder, its parts put together, and what it can be asked for."""
