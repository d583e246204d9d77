"""Watch batches of voice-AI calls and report what happens to them."""

__version__ = "0.1.0"
