"""The work of the commands: one file each beside what it alone uses, imported when it runs."""
