"""Deterministic simulation: the real engine and store in virtual time, under seeded faults."""
