"""What a person does about jobs that no run moves on: one module for each command.

``retry`` opens failed jobs again, ``resolve`` settles creates whose answer was lost, ``rescue`` fetches paid results
that are missing on disk, ``prices`` takes a verdict on odd prices. They hold the ledger and pick jobs by ``picking``.
"""
