"""A service that delivers something else than what it made."""

import dataclasses
from typing import ClassVar

from starlette.responses import Response

from batchbg.sandbox.effects import Effect


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delivers(Effect):
    """Other bytes in the place of a result."""

    kind: ClassVar[str] = "delivers"
    content: bytes

    def __post_init__(self) -> None:
        """Accept the bytes, which are nothing that JSON or a person could write."""

    async def on_answer(self, answer: Response) -> Response:
        return Response(self.content, media_type="image/png")
