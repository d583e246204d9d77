"""The parts of the pages that a program writes, so that they stay true."""
