"""A hot folder: photos are taken as they come, once they are whole, in turns each of which is a run."""
