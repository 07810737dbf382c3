"""Uploads: one for each content and form, as long as the service keeps it."""

import pytest

from batchbg.core.model import PhotoInfo, Size, Stamp
from batchbg.ledger import assets, folders, photos

pytestmark = pytest.mark.usefixtures("ticking")


@pytest.fixture
def ledger(emptied):
    return emptied


def test_an_upload_is_found_by_what_was_sent_and_whose_it_is(ledger):
    """The latest of any of the accounts that are one and the same; another form of the same file is another upload."""
    with ledger.transaction() as tx:
        assets.uploaded(tx, "id", "ab", "older", 5)
    with ledger.transaction() as tx:
        assets.uploaded(tx, "https://api.example", "ab", "newer", 5)
        assets.uploaded(tx, "another", "ab", "another's", 5)
        assets.uploaded(tx, "id", "ab upright", "a copy", 7)
        both = ("id", "https://api.example")
        assert assets.find(tx.connection, both, "ab", 0.0) == "newer"
        assert assets.find(tx.connection, ("id",), "ab", 0.0) == "older"
        assert assets.find(tx.connection, both, "ab fit 3x2", 0.0) is None


def test_what_is_too_old_is_uploaded_anew(ledger):
    """And takes the place of the older one."""
    with ledger.transaction() as tx:
        assets.uploaded(tx, "id", "ab", "first", 5)
        assert assets.find(tx.connection, ("id",), "ab", tx.at) is None
    with ledger.transaction() as tx:
        assets.uploaded(tx, "id", "ab", "second", 6)
        assert assets.find(tx.connection, ("id",), "ab", tx.at - 0.5) == "second"


def test_an_upload_that_the_service_has_lost_is_forgotten(ledger):
    """That one alone, whosoever account found it."""
    with ledger.transaction() as tx:
        assets.uploaded(tx, "id", "ab", "lost", 5)
        assets.uploaded(tx, "other", "ab", "there", 5)
        assets.forget(tx, "ab", "lost")
        assert assets.find(tx.connection, ("id",), "ab", 0.0) is None
        assert assets.find(tx.connection, ("other",), "ab", 0.0) == "there"


def test_all_forms_of_a_content_are_forgotten_up_to_a_time(ledger):
    """Also those of other files with the same picture; what was uploaded since is kept."""
    info = PhotoInfo(Stamp(1, 1, 1), "rated", Size(1, 1), "png", "", "", "look", "")
    with ledger.transaction() as tx:
        root = folders.id_of(tx, "photos")
        first = {"a.png": PhotoInfo(Stamp(1, 1, 1), "ab", Size(1, 1), "png", "", "", "look")}
        photos.remember(tx, root, first)
        photos.remember(tx, root, {"b.png": info})
        for recipe in ("ab", "ab upright", "rated fit 3x2", "abc", "a%"):
            assets.uploaded(tx, "id", recipe, recipe, 1)
        assets.forget_contents(tx, ["ab"], tx.at)
        found = [
            one
            for one in ("ab", "ab upright", "rated fit 3x2", "abc", "a%")
            if assets.find(tx.connection, ("id",), one, 0)
        ]
        assert found == ["abc", "a%"]
        assets.forget_contents(tx, ["abc"], tx.at - 1)
        assert assets.find(tx.connection, ("id",), "abc", 0) == "abc"
