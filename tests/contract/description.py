"""The published OpenAPI description, and whether an exchange is one that it foresees."""

import dataclasses
import datetime
import json
import re
from pathlib import Path
from typing import Any, Self

import jsonschema

from tests.contract.listening import Exchange

VARIABLE = "BATCHBG_API_SPEC"
"""The environment variable that says where the published description lies."""

FORMATS = jsonschema.FormatChecker()

UNPUBLISHED = frozenset({405, 413, 429})
"""Refusals that the description does not know: methods it has not, a limit of the sandbox, and too many requests,
which only the quick start mentions. Their bodies are those of every refusal."""

REFUSAL = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    "additionalProperties": False,
}


@FORMATS.checks("date-time")
def is_time(value: object) -> bool:
    """Whether a string is a moment, with its zone."""
    try:
        return not isinstance(value, str) or datetime.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


@dataclasses.dataclass(frozen=True)
class Description:
    """What the publisher says.

    Attributes:
        paths: path templates, each with its methods in lower case.
        file: where it was read from.
    """

    paths: dict[str, Any]
    file: Path

    @classmethod
    def read(cls, file: Path) -> Self:
        return cls(json.loads(file.read_text())["paths"], file)

    def declared(self) -> set[tuple[str, str, int]]:
        """Return every (METHOD, path template, status) that is foreseen."""
        return {
            (method.upper(), path, int(status))
            for path, methods in self.paths.items()
            for method, operation in methods.items()
            for status in operation["responses"]
        }

    def template(self, path: str) -> str | None:
        """Return the template that a path of a request is one of."""
        for template in self.paths:
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return template
        return None

    def check_request(self, exchange: Exchange) -> None:
        """Raise unless the request is one that the description allows."""
        template = self.template(exchange.path)
        assert template is not None, f"{exchange.path} is no path of the API"
        operation = self.paths[template][exchange.method.lower()]
        assert not exchange.query, "no operation has parameters in its query"
        assert re.fullmatch(r"Bearer \S+", exchange.request_headers["authorization"])
        if "requestBody" not in operation:
            assert exchange.request_body == b""
            return
        assert exchange.request_headers["content-type"] == "application/json"
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        validate(json.loads(exchange.request_body), schema)

    def check_answer(self, exchange: Exchange) -> None:
        """Raise unless the answer is one that the description foresees, or a refusal that only others know."""
        template = self.template(exchange.path)
        responses: dict[str, Any] = {}
        if template is not None and exchange.method.lower() in self.paths[template]:
            responses = self.paths[template][exchange.method.lower()]["responses"]
        declared = responses.get(str(exchange.status))
        if declared is None:
            assert exchange.status in UNPUBLISHED, f"{exchange.method} {exchange.path}: {exchange.status}"
            validate(json.loads(exchange.body), REFUSAL)
        elif "content" in declared:
            assert exchange.headers["content-type"] == "application/json"
            validate(json.loads(exchange.body), declared["content"]["application/json"]["schema"])
        else:
            assert exchange.body == b""


def validate(value: Any, schema: Any) -> None:
    """Raise unless ``value`` fits an OpenAPI 3.0 schema and has no field that it does not name."""
    jsonschema.validate(value, as_json_schema(schema), jsonschema.Draft202012Validator, format_checker=FORMATS)


def as_json_schema(schema: Any) -> Any:
    """Return an OpenAPI 3.0 schema as JSON Schema, which says ``nullable`` in another way."""
    if isinstance(schema, list):
        return [as_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    translated = {name: as_json_schema(each) for name, each in schema.items() if name not in ("nullable", "example")}
    if translated.get("type") == "object" and "properties" in translated:
        translated.setdefault("additionalProperties", False)
    return {"anyOf": [{"type": "null"}, translated]} if schema.get("nullable") is True else translated
