"""The work of the commands: one file each, imported only when it runs."""
