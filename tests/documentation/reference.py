"""
Writes what is made of the OpenAPI document: the tables of the pages, types.ts and the Postman collection.

`make reference` does it; tests hold all of it to the API. What is not between the marks is by hand:

    <!-- reference: create_agent -->
    <!-- /reference -->
"""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.conf import settings

# Speaks before Django reads its settings.
from tests import environment as environment  # noqa: PLC0414

# isort: split
from tests.api.document import Operation, operations
from tests.documentation import fields, postman, samples, typescript

DOCUMENTATION = Path(__file__).parents[2] / "documentation"
BLOCK = re.compile(r"<!-- reference: (\w+) -->\n.*?<!-- /reference -->\n", re.DOTALL)
_PLACES = {
    "user_id": "The business.",
    "phone_number_id": "Meta's id of the number or account; for a web chat, its `web_…` id.",
    "prefix": "The key's prefix, the part between the first two `_`.",
    "agent_id": "The agent.",
    "prompt_id": "The prompt.",
    "number": "The version's number.",
    "version": "The version's number.",
    "conversation_id": "The conversation.",
    "extraction_id": "The lead, or another reading.",
    "message_id": "The message.",
    "customer_id": "The customer.",
    "archive_id": "The archive.",
    "endpoint_id": "The webhook endpoint.",
    "file_id": "The picture.",
    "index": "The file's place in `media`, from 0.",
    "delivery_id": "The delivery.",
    "hub.mode": "Always `subscribe`.",
    "hub.verify_token": "`WEBHOOK_VERIFY_TOKEN`.",
    "hub.challenge": "Returned as it is.",
    "X-Hub-Signature-256": "`sha256=` and the signature in hexadecimal.",
}
# Path parameters whose shell variables the quick start sets, and what the others are.
_OF_QUICK_START = {"user_id", "prompt_id"}
_THINGS = {
    "phone_number_id": "the number's id",
    "prefix": "the key's prefix",
    "agent_id": "the agent's id",
    "conversation_id": "the conversation's id",
    "extraction_id": "the lead's id",
    "message_id": "the message's id",
    "customer_id": "the customer's id",
    "archive_id": "the archive's id",
    "endpoint_id": "the endpoint's id",
    "file_id": "the file's id",
    "delivery_id": "the delivery's id",
}


def pages() -> dict[Path, str]:
    """Give each page that has marks, with what should stand between them."""
    known = {operation.operation_id: operation for operation in operations()}
    return {
        path: _filled(text, path, known)
        for path in sorted(DOCUMENTATION.rglob("*.md"))
        if BLOCK.search(text := path.read_text())
    }


def _filled(text: str, path: Path, known: dict[str, Operation]) -> str:
    up = "../" * len(path.relative_to(DOCUMENTATION).parent.parts)
    # Several on a page stand below headings of their own.
    level = 2 if len(BLOCK.findall(text)) == 1 else 3

    def block(mark: re.Match[str]) -> str:
        return _block(known[mark[1]], up, level)

    return BLOCK.sub(block, text)


def _block(operation: Operation, up: str, level: int) -> str:
    text = "\n".join(_lines(operation, up, "#" * level))
    return f"<!-- reference: {operation.operation_id} -->\n\n{text}\n<!-- /reference -->\n"


def _lines(operation: Operation, up: str, mark: str) -> Iterator[str]:
    yield f"`{operation.method.upper()} {operation.path}`\n"
    yield operation.told["description"].partition("\n\nRate limit:")[0] + "\n"
    yield from _rules(operation, up)
    yield f"{mark} Request\n"
    yield from _request(operation)
    yield f"{mark} Response\n"
    yield from _response(operation)
    yield f"{mark} Errors\n"
    yield from _errors(operation, up)
    if not operation.is_called_by_programs:
        return
    yield f"{mark} Examples\n"
    own = "".join(
        f"`{name.upper()}` is {_THINGS.get(name, f'the `{name}`')}; "
        for name in operation.names
        if name not in _OF_QUICK_START
    )
    yield (
        f"The variables come from the [quick start]({up}README.md#quick-start); {own}`api` is the client in "
        f"[http.ts]({up}examples/typescript/http.ts) ([how to create it]({up}README.md#examples)).\n"
    )
    yield f"```sh\n{samples.curl(operation)}\n```\n"
    if not operation.is_public:
        yield f"```ts\n{samples.typescript(operation)}\n```\n"
    if (example := samples.answer(operation)) is not None:
        status = HTTPStatus(operation.success)
        yield f"The response, `{status.value} {status.phrase}`:\n"
        yield f"```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```\n"


def _rules(operation: Operation, up: str) -> Iterator[str]:
    if operation.is_for_visitors:
        yield "- **Authentication:** a visitor's session, from a page that is allowed."
    elif operation.is_public:
        yield "- **Authentication:** no API key."
    elif samples.is_for_operators(operation):
        yield f"- **Authentication:** the operator's key only ([how]({up}api.md#authentication))."
    else:
        who = "the business's own key, or the operator's"
        yield f"- **Authentication:** {who} ([how]({up}api.md#authentication))."
    if limit := operation.told.get("x-rate-limit"):
        yield (
            f"- **Rate limit:** {limit['requests']:,} requests in {limit['seconds']} seconds for each key, "
            f"over all operations ([what answers tell]({up}api.md#rate-limits))."
        )
    elif told := operation.told["description"].partition("Rate limit: ")[2]:
        yield f"- **Rate limit:** {told}"
    else:
        yield "- **Rate limit:** none."
    if samples.is_list(operation):
        yield f"- **Pages:** `limit` and `cursor` ([how]({up}api.md#lists))."
    yield ""


def _request(operation: Operation) -> Iterator[str]:
    rows = [*_headers(operation)]
    for where in ("path", "query"):
        for name, told in operation.parameters(where).items():
            need = "required" if told.get("required") else ""
            rows.append((name, where, fields.type_of(told["schema"]), need, _explained(name, told)))
    if rows:
        yield from _table(("parameter", "in", "type", "", "meaning"), rows)
    body = operation.body
    if body is not None:
        members = list(fields.fields(body))
        yield "The body is a JSON object:\n" if members else "The body is an empty JSON object.\n"
        rows = [
            (member.name, member.type, "required" if member.is_required else "", member.meaning)
            for member in members
        ]
        if rows:
            yield from _table(("field", "type", "", "meaning"), rows)
    elif not rows:
        yield "No parameters and no body.\n"


def _explained(name: str, told: dict[str, Any]) -> str:
    return fields.meaning(
        {**told["schema"], "description": told.get("description", "") or _PLACES.get(name, "")}
    )


def _headers(operation: Operation) -> Iterator[tuple[str, ...]]:
    if operation.is_for_visitors:
        yield "Authorization", "header", "string", "required", "`Bearer` and the session's token."
    elif not operation.is_public:
        yield settings.API_KEY_HEADER, "header", "string", "required", "Or `Authorization: Bearer …`."
    if operation.body is not None:
        yield "Content-Type", "header", "string", "required", "`application/json`."
    for name, told in operation.parameters("header").items():
        need = "required" if told.get("required") else ""
        yield (
            name,
            "header",
            "string",
            need,
            _explained(name, told),
        )


def _response(operation: Operation) -> Iterator[str]:
    for status, told in operation.told["responses"].items():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            continue
        yield f"`{status} {HTTPStatus(int(status)).phrase}`\n"
        content = told.get("content", {})
        members = list(fields.fields(content.get("application/json", {}).get("schema", {})))
        if members:
            rows = [(member.name, member.type, member.meaning) for member in members]
            yield from _table(("field", "type", "meaning"), rows)
        elif "text/csv" in content:
            yield "The body is CSV.\n"
        elif "image/png" in content:
            yield "The body is the picture.\n"
        elif "application/octet-stream" in content:
            yield "The body is the file.\n"
        elif "text/plain" in content:
            yield "The body is plain text.\n"
        else:
            yield "There is no body.\n"


def _errors(operation: Operation, up: str) -> Iterator[str]:
    rows: list[tuple[str, ...]] = []
    for status, told in operation.told["responses"].items():
        if int(status) < HTTPStatus.BAD_REQUEST:
            continue
        examples = told.get("content", {}).get("application/problem+json", {}).get("examples", {})
        for code, example in examples.items():
            rows.append((status, f"[{code}]({up}errors.md#{code})", example["value"]["detail"]))
        if not examples:
            rows.append((status, "", HTTPStatus(int(status)).phrase))
    if rows:
        yield from _table(("status", "code", "detail"), rows, coded=False)
    else:
        yield "None of its own.\n"


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]], *, coded: bool = True) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)
    for first, *rest in rows:
        cells = [f"`{first}`" if coded else first, *rest]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def write() -> None:
    """Write everything."""
    for path, text in pages().items():
        path.write_text(text)
    typescript.TYPES.write_text(typescript.types())
    postman.COLLECTION.write_text(postman.collection())


if __name__ == "__main__":
    write()
