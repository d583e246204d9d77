"""Writing: what a group of polls amounts to, committed as one."""
