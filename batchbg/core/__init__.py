"""Decisions without I/O: everything here takes values, returns values and imports the standard library only."""
