"""The database: sessions, SQLite's write lock, append-only triggers, bulk rows."""
