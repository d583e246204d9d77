"""Events as rows: read, and followed as they come."""
