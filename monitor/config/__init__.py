"""The config file, read and checked."""
