"""Files: the only place where photos are opened and results are written. Nothing here writes below a photo folder."""
