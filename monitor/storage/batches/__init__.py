"""Batches as rows: registered, claimed, recorded, read."""
