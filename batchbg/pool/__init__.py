"""The worker pool: takes jobs from the ledger and brings them to their end.

``pool`` feeds and drains it, ``worker`` is the way of one job. Its stages are ``uploads``, ``submit``, ``track`` and
``deliver``; what they share is in ``session``. Whether a create may leave is decided in ``admission``, how far a run
goes in ``stop``.
"""
