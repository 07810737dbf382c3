"""What people and programs are told: summaries from ledger rows, and the HTML page.

``gathering`` reads the ledger once for the page, by ``rows``; ``page`` writes it, with pictures of ``page_thumbs``.
"""
