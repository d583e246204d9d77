"""Delivering: what the outbox owes, sent, and what becomes of it."""
