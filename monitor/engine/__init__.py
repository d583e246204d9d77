"""Loops that poll, write and deliver."""
