"""A sandbox of its own for every test, and a client that knows the flow."""

import contextlib
from typing import Any

import pytest

from batchbg.sandbox import SandboxConfig, SandboxServer
from tests.support.client import Client, picture


@pytest.fixture
def start():
    """Start sandboxes; instantaneous and cheap unless told otherwise."""
    with contextlib.ExitStack() as stack:

        def start_one(**settings: Any) -> Client:
            config = SandboxConfig(**{"render_s": 0.0, "background_cutout": "fast", **settings})
            client = Client(stack.enter_context(SandboxServer(config)))
            stack.callback(client.close)
            return client

        yield start_one


@pytest.fixture
def client(start):
    """An instantaneous sandbox with 10,000 credits."""
    return start()


@pytest.fixture
def draw():
    """The function that draws a picture."""
    return picture
