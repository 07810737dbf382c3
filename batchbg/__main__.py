"""``python -m batchbg``."""

from batchbg.cli import main

main()
