"""The daemon: one process with its loops, bells, signals, and its word to systemd."""
