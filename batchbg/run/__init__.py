"""One run: what it shares, and its steps in the order in which ``batchbg.pipeline`` takes them."""
