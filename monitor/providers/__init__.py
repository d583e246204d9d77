"""Voice-AI companies' APIs, read only."""
