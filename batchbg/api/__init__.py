"""The Magic Hour API: the only place where requests are sent.

``wire`` reads answers, ``limiter`` spaces requests, ``transport`` carries them, ``client`` knows the operations.
"""
