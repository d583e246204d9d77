"""The commands: a module for each section of them, with their options and their help."""
