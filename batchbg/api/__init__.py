"""The Magic Hour API: the only place where requests are sent.

Read ``client`` first: the operations. ``connection`` sends their requests with the key, ``exchange`` follows one
request and its answer, ``wire`` reads what the answer says. ``limiter`` spaces requests, ``throttling`` pauses them on a 429,
``transport`` sends many at once, ``deadline`` ends those that hang. ``storage`` uploads and downloads, without the key.
``retry_reads`` repeats a request that costs nothing; no create is ever repeated here.
"""
