"""Edits: what can be edited, what an edit is, what to do with one. Nothing is read or sent."""
