"""Whether the files of a ledger are still the ones that are open."""

import os
from pathlib import Path

import pytest

from batchbg.errors import LedgerGone


@pytest.mark.in_a_file
def test_a_disk_that_renumbers_open_files_is_called_that(ledger, monkeypatch):
    """As some of FUSE do: nobody has replaced anything there, and there is nothing to put back."""
    ledger.watch()
    with ledger.begin():
        ledger.check_still_there()
    another = Path(__file__).stat()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", lambda _descriptor: another)
        with pytest.raises(LedgerGone, match="numbers") as caught, ledger.begin():
            ledger.check_still_there()
    assert "--ledger" in str(caught.value)
    assert "put the right file back" not in str(caught.value)
