"""Looking results over: a page in the browser on this machine, over the live ledger.

``catalogue`` knows what there is and what is chosen; ``looks`` has each result looked at once, for its thumbnail and the
signs of a bad cut-out, and ``look_cache`` keeps that; ``gate`` lets nobody in but the browser that was given the address;
``application`` answers; ``server`` serves. The page itself is ``static``: plain modules, one a concern.
"""
