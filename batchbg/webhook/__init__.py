"""Receiving the service's webhook events: checked, stored beside the ledger, acknowledged. Nothing here opens a ledger."""
