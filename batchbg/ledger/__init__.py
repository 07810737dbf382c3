"""The ledger: the only place where a database is opened.

``engine`` opens one, ``tables`` names what is in it, ``credits`` keeps the money, ``jobs`` moves jobs from state to
state, ``catalog`` remembers photos and outputs, ``queries`` answers what people ask, ``writer`` commits beside the
event loop.
"""
