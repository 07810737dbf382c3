from batchbg.core.addresses import is_loopback


def test_loopback_is_this_machine_only():
    """By address, not by how a name looks."""
    assert [host for host in ("127.0.0.1", "::1", "localhost", "127.0.0.1.nip.io", "example") if is_loopback(host)] == [
        "127.0.0.1",
        "::1",
        "localhost",
    ]
