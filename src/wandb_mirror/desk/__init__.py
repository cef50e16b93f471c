"""The desk: where edits are made and shown, between the outbox and the published file."""
