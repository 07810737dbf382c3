import httpx
import pytest

from batchbg.api.transport import kind_of


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ReadError(""), "the connection broke off"),
        (httpx.ConnectError("[Errno 111] Connection refused"), "no connection: [Errno 111] Connection refused"),
        (httpx.ReadTimeout(""), "nothing came in time"),
        (TimeoutError(), "nothing came in time"),
        (httpx.RemoteProtocolError("Server disconnected"), "the connection broke off: Server disconnected"),
        (httpx.InvalidURL("https://storage/x?signature=y"), "something went wrong on the network"),
    ],
)
def test_an_error_of_the_wire_is_told_in_words(error: Exception, said: str):
    """Not by the name that a library has for it, nor with an address that may be signed."""
    assert kind_of(error) == said
