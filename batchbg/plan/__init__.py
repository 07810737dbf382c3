"""From folders of photos and backgrounds to planned jobs.

Read ``planner`` first: a folder at a time. What a person asked for is a ``request`` (with a ``background_map`` or a
``saved_plan``), whose folders are entered into the ledger as ``roots``. A folder's photos that are ``unchanged`` are
passed over, those that have ``vanished`` are forgotten, and the rest goes through ``probing``. ``backgrounds`` are
loaded once; ``selection`` chooses among them. Then ``deciding`` gives results their ``output_names`` and a
``folder_plan`` is decided and written, a few of the photos at a time (``portions``). All is told in ``lines``.
"""
