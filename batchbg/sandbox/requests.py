"""Reading requests: bodies within limits, JSON by the published schema, and the documented refusals."""

import json
import re
from typing import Any, Final, NoReturn

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_MEDIA: Final = {
    "video": frozenset({"mp4", "m4v", "mov", "webm", "gif"}),
    "audio": frozenset({"mp3", "wav", "aac", "flac", "webm", "weba", "m4a", "opus", "ogg", "oga", "aiff", "amr"}),
    "image": frozenset({"png", "jpg", "jpeg", "jfif", "heic", "heif", "webp", "avif", "jp2", "tiff", "tif", "bmp"}),
}
"""Extensions by kind. Source: spec, POST /v1/files/upload-urls; that gif counts as video is an inference."""

IMAGE_EXTENSIONS: Final = _MEDIA["image"]

_EXTENSION: Final = re.compile(r"[a-z0-9]+")


class Refusal(Exception):
    """An answer other than the one hoped for."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.response: Response = JSONResponse({"code": code, "message": message}, status, headers)


class StorageRefusal(Refusal):
    """The same from the storage service, which speaks XML as such services do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self.response = Response(body, status, media_type="application/xml")


def invalid(message: str) -> NoReturn:
    """Refuse a request that breaks the schema."""
    raise Refusal(400, "invalid_request", message)


def unprocessable(message: str) -> NoReturn:
    """Refuse values that the schema allows and the service does not."""
    raise Refusal(422, "unprocessable_entity", message)


async def read_json(request: Request, max_bytes: int) -> dict[str, Any]:
    """Return the JSON object in the body of ``request``."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise Refusal(413, "payload_too_large", f"a request holds at most {max_bytes} bytes")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        invalid("the body is not JSON")
    if not isinstance(content, dict):
        invalid("the body must be an object")
    return content


def upload_items(content: dict[str, Any]) -> list[str]:
    """Return the extension of each file that an upload-urls request announces."""
    items = content.get("items")
    if not isinstance(items, list) or not items:
        invalid("items must be an array of at least one element")
    return [_extension(index, item) for index, item in enumerate(items)]


def _extension(index: int, item: Any) -> str:
    if not isinstance(item, dict):
        invalid(f"items[{index}] must be an object")
    kind, extension = item.get("type"), item.get("extension")
    if not isinstance(kind, str) or kind not in _MEDIA:
        invalid(f"items[{index}].type must be one of {', '.join(_MEDIA)}")
    if not isinstance(extension, str) or not _EXTENSION.fullmatch(extension):
        invalid(f"items[{index}].extension must be lower-case letters and digits, without a dot")
    if extension not in _MEDIA[kind]:
        unprocessable(f"{extension} is not supported for {kind}; use one of {', '.join(sorted(_MEDIA[kind]))}")
    return extension


def create_fields(content: dict[str, Any]) -> tuple[str | None, str, str | None]:
    """Return name, path of the photo and path of the background from a create request."""
    assets = content.get("assets")
    if not isinstance(assets, dict):
        invalid("assets must be an object")
    photo = assets.get("image_file_path")
    if not isinstance(photo, str):
        invalid("assets.image_file_path must be a string")
    # Neither may be null: the schema lets them be absent, not nullable.
    background = assets.get("background_image_file_path")
    if "background_image_file_path" in assets and not isinstance(background, str):
        invalid("assets.background_image_file_path must be a string")
    name = content.get("name")
    if "name" in content and not isinstance(name, str):
        invalid("name must be a string")
    if name is not None and not _is_text(name):
        invalid("name holds half a character")
    return name, photo, background


def _is_text(value: str) -> bool:
    """Return whether ``value`` can be sent back; JSON's escapes can write lone surrogates, UTF-8 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
