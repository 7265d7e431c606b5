"""Floor 2: connections to a Postgres server, for threads and for event loops, over libpq."""
