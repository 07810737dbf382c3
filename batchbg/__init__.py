"""batchbg: new backgrounds for a folder of product photos, paid for once each."""

__version__ = "0.1.0"
