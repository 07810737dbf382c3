"""The sandbox: a local stand-in for the Magic Hour API, for rehearsals and for every test.

It is a real HTTP server on 127.0.0.1 that keeps books as the service does and misbehaves on cue::

    from batchbg.sandbox import SandboxConfig, SandboxServer

    with SandboxServer(SandboxConfig(render_s=0.1, background_cutout="fast")) as sandbox:
        sandbox.faults.add("create", "hang_up", nth=2)  # the second create is charged, its answer is lost
        run_something_against(sandbox.url)
        assert sandbox.books.balance == 10_000 - 10
        assert [create.name for create in sandbox.books.creates()] == ["first", "second"]

Everything it holds is in memory and bounded; nothing is fetched from anywhere.
"""

from batchbg.sandbox.config import SandboxConfig
from batchbg.sandbox.faults import Fault
from batchbg.sandbox.server import SandboxServer, serve

__all__ = ["Fault", "SandboxConfig", "SandboxServer", "serve"]
