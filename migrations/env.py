"""Alembic's entry point. batchbg passes its own connection, inside its own transaction."""

from alembic import context

from batchbg.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
