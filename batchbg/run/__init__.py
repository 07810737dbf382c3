"""One run: what its steps share, and the steps, in the order in which ``batchbg.pipeline`` takes them."""
