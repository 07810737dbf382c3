"""What people and programs are told: summaries from ledger rows, and the HTML page."""
