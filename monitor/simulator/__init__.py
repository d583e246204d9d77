"""Simulated Bolna and Vogent APIs: real HTTP servers that show scripted lives and faults."""
