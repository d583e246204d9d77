"""What holds the database: a SQLite file or a Postgres server, and who may use it."""
