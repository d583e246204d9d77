"""Polling: which batches are due, what providers say of them, and which nobody registered."""
