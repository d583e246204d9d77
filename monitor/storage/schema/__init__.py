"""The schema: its tables, and its version."""
