"""The SQLite file's back-up, and its way back."""
