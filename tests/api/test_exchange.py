import gzip
import tracemalloc
import zlib

import pytest

from batchbg.api.exchange import MAX_ANSWER_BYTES, PIECE_BYTES, Unpacking, decoded
from batchbg.core.create_outcome import leading_members

BODY = b'{"id":"abc","credits_charged":5}'

BOMB = gzip.compress(gzip.compress(b"0" * (1 << 26), mtime=0), mtime=0)


def packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)  # or the cases would be called by the second they were made in


def raw_deflate(body: bytes) -> bytes:
    made = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return made.compress(body) + made.flush()


@pytest.mark.parametrize(
    ("sent", "codings"),
    [
        (BODY, ""),
        (packed(BODY), "gzip"),
        (zlib.compress(BODY), "deflate"),
        (raw_deflate(BODY), "deflate"),
        (packed(packed(BODY)), "gzip, gzip"),
        (packed(zlib.compress(BODY)), "deflate, x-gzip"),
        (BODY, "gzip"),
        (BODY, "deflate"),
        (BODY, "br"),
        (BODY, "gzip, identity, nonsense"),
    ],
)
def test_a_body_is_read_whatever_its_header_says_of_it(sent, codings):
    """A coding that is wrongly named leaves the id readable."""
    assert decoded(sent, codings) == BODY


@pytest.mark.parametrize("cut", [1, 4, 8, 12])
def test_what_is_cut_off_or_spoilt_is_read_as_far_as_it_goes(cut):
    """An id that was told is worth more than the rest."""
    long = BODY[:-1] + b',"more":"' + bytes(range(48, 123)) * 40 + b'"}'
    sent = packed(long)
    for body in (sent[:-cut], sent[:-cut] + b"\0" * cut):
        assert leading_members(decoded(body, "gzip"))["id"] == "abc"


def test_a_bomb_stays_small():
    """A few hundred bytes that would be 64 MB take no more memory than the longest answer."""
    assert len(BOMB) < 1000
    tracemalloc.start()
    assert len(decoded(BOMB, "gzip, gzip")) <= MAX_ANSWER_BYTES
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MAX_ANSWER_BYTES


PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("sent", "codings"),
    [
        (PNG, ""),
        (packed(PNG), "gzip"),
        (zlib.compress(PNG), "deflate"),
        (packed(packed(PNG)), "gzip, gzip"),
        (PNG, "gzip"),
        (PNG, "deflate, gzip"),
        (b"", "gzip"),
    ],
)
def test_a_long_body_is_unpacked_piece_by_piece(sent, codings, size):
    """However it is cut, and whatever its header says of it."""
    unpack = Unpacking(codings)
    found = b"".join(piece for at in range(0, len(sent), size) for piece in unpack.feed(sent[at : at + size]))
    assert found == (PNG if sent else b"")


def test_a_bomb_comes_in_pieces():
    """Whoever writes them down can stop in time."""
    tracemalloc.start()
    pieces = Unpacking("gzip, gzip").feed(BOMB)
    assert all(len(next(pieces)) <= PIECE_BYTES for _ in range(20))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * PIECE_BYTES


def test_a_spoilt_body_is_said():
    """It is asked for again."""
    sent = bytearray(packed(PNG))
    sent[len(sent) // 2] ^= 0xFF
    with pytest.raises(ValueError, match="no longer"):
        list(Unpacking("gzip").feed(bytes(sent) + bytes(100)))
