"""Simulated provider APIs: real HTTP servers with scripted lives and faults."""
