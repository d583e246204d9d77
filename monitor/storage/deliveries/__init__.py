"""Deliveries as rows: owed, claimed, settled, owed once more, read."""
