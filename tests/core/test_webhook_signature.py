import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbg.core.webhook_signature import is_signed, sign

SECRET = b"whsec_abc123def456"
TIMESTAMP = b"1729314984"
BODY = (
    '{"type":"image.completed","payload":{"id":"clx8abc123def456ghi789","name":"batchbg a3e8zd28g3ae-1 \u2615",'
    '"status":"complete","image_count":1,"type":"BACKGROUND_REMOVER","created_at":"2024-10-19T05:10:19.027Z",'
    '"enabled":true,"credits_charged":5,"downloads":[{"url":"https://videos.magichour.ai/clx8abc123def456ghi789/output.png"'
    ',"expires_at":"2024-10-19T05:16:19.027Z"}],"error":null}}'
).encode()
SIGNATURE = b"df0855396d6aaa5fae625a6ffb99e606204696c8fbf22913900fc02f7500ac45"
"""What three independent implementations make of them."""


def test_the_vector_holds():
    assert sign(SECRET, TIMESTAMP, BODY) == SIGNATURE
    assert is_signed(SECRET, TIMESTAMP, SIGNATURE, BODY)


@given(st.binary(min_size=1), st.integers(0, 10**20 - 1), st.binary())
def test_it_is_the_hmac_of_timestamp_and_body(secret: bytes, seconds: int, body: bytes):
    """Of the raw bytes, whatever they are."""
    timestamp = str(seconds).encode()
    expected = hmac.new(secret, b"%d." % seconds + body, hashlib.sha256).hexdigest()
    assert sign(secret, timestamp, body).decode() == expected
    assert is_signed(secret, timestamp, expected.encode(), body)


@given(st.data())
def test_whatever_is_changed_is_noticed(data: st.DataObject):
    """A byte of the body, of the timestamp, of the secret or of the signature."""
    parts = {"secret": SECRET, "timestamp": TIMESTAMP, "signature": SIGNATURE, "body": BODY}
    changed = data.draw(st.sampled_from(sorted(parts)))
    value = bytearray(parts[changed])
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    assert not is_signed(**(parts | {changed: bytes(value)}))


@pytest.mark.parametrize(
    "signature",
    [b"", SIGNATURE[:-1], SIGNATURE + b"0", SIGNATURE.upper(), b"sha256=" + SIGNATURE, b"\xff" * 64, b" " + SIGNATURE],
)
def test_only_the_whole_signature_is_one(signature: bytes):
    assert not is_signed(SECRET, TIMESTAMP, signature, BODY)


@pytest.mark.parametrize("timestamp", [b"", b"1729314984.", b"-1", b"1.5", b" 1", "\u0661".encode(), b"1" * 21])
def test_a_timestamp_is_digits(timestamp: bytes):
    """What is signed says by itself where the body begins: "1." and "2" are not "1" and ".2"."""
    assert not is_signed(SECRET, timestamp, sign(SECRET, timestamp, BODY), BODY)
