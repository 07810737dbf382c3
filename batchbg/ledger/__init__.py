"""The ledger: the only place that knows SQL.

``location`` says where one is and ``filesystem`` whether it may be there; ``engine`` opens it, ``store`` is one that is
open, with its ``connections``; ``lock`` says who may spend from it. ``tables`` defines every table, ``sql`` how a
statement is run that is run often; there is a module for what is done with each table:
``folders``, ``photos``, ``outputs``, ``assets``, ``jobs``, ``events``, ``credits``, ``balances``, ``prices``, ``runs``,
``orders``, ``meta``. ``transitions`` moves jobs from state to state with their money, against a budget of ``budgets``;
``writer`` writes from the event loop and commits beside it. ``identity``, ``purpose``, ``clock`` and ``marks`` see to it
that it is the right ledger, ``audit`` that it adds up.
"""
