"""The worker pool: takes jobs from the ledger and brings them to their end.

``drain`` starts and stops it, ``worker`` is the way of one job. Its stages are ``uploads``, ``submit``, ``track`` and
``deliver``; ``slots``, ``gate`` and ``stop`` say when each may go on.
"""
