"""Alembic's way into the store: the tables it compares with are made from the kinds."""

from alembic import context

from wandb_mirror.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
