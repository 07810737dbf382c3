"""From folders of photos and backgrounds to planned jobs."""
