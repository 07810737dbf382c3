"""What a person does about jobs that no run moves on: one module for each command.

``retry`` opens failed jobs again, ``resolve`` settles creates whose answer was lost, ``rescue`` fetches paid results
that are missing on disk, ``redo`` plans results anew, ``verdicts`` and ``prices`` take a person's word. They hold the
ledger; jobs that a person names are picked by ``picking``.
"""
