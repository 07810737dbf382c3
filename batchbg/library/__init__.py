"""batchbg from Python: the same runs as on the command line, as values and errors; nothing is printed, nobody is asked.

A program imports its names from ``batchbg`` itself.
"""
