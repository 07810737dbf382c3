"""Finished pictures: made of results by profiles, each in a folder of its own, as often as wanted and free."""
