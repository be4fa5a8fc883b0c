"""
Makes documentation/postman_collection.json of the OpenAPI document.

The converter gives the requests; here they get examples that work, an order in which they can be run from the
first to the last, and scripts that hand ids on from one to the next.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.api.document import Operation, operations
from tests.documentation import node, samples, typescript
from tests.documentation.chain import (
    AFTER,
    BEFORE,
    BODIES,
    CUSTOMER,
    EARLY,
    ERASING,
    FOLDERS,
    FORGET,
    LAST,
    LATE,
    STATUSES,
)

COLLECTION = Path(__file__).parents[2] / "documentation" / "postman_collection.json"
_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_METHODS = ("post", "get", "patch", "put", "delete")
_DESCRIPTION = """\
Every operation of the management API, made of its OpenAPI document by `make reference`.

Set `baseUrl` and `apiKey` (an operator's key), then run the whole collection: it makes a business, has a
customer write to it through the simulator (`simulatorUrl`), reads what was said, and deletes what can be
deleted. Ids are handed on from one request to the next in variables.
"""
_VARIABLES = {
    "baseUrl": "http://127.0.0.1:8080",
    "simulatorUrl": "http://127.0.0.1:9090",
    "apiKey": "",
}


def collection() -> str:
    """Give the collection as JSON."""
    shown = [operation for operation in operations() if operation.is_called_by_programs]
    converted = {item["name"]: item for item in _items(_converted()["item"])}
    folders: dict[str, list[dict[str, Any]]] = {name: [] for name in [*FOLDERS, LAST]}
    erasing: list[dict[str, Any]] = []
    for operation in sorted(shown, key=_place):
        item = _item(operation, converted[operation.told["summary"]])
        if operation.operation_id in ERASING:
            erasing.append(item)
            continue
        is_last = operation.method == "delete" or operation.operation_id in LATE
        folder = LAST if is_last else operation.told["tags"][0]
        folders.setdefault(folder, []).append(item)
    folders["Conversations"].insert(0, CUSTOMER)
    folders[LAST].reverse()
    late = [
        converted[operation.told["summary"]]["name"] for operation in shown if operation.operation_id in LATE
    ]
    place = max(place for place, item in enumerate(folders[LAST], start=1) if item["name"] in late)
    folders[LAST][place:place] = erasing
    forget = FORGET.format(names=json.dumps(list(_ids(shown))))
    folders["Users"][0]["event"].insert(0, _script("prerequest", forget))
    made = {
        "info": {"name": "Multi-channel AI agent service", "description": _DESCRIPTION, "schema": _SCHEMA},
        "auth": _auth(),
        "event": [_script("test", _hand_on(shown))],
        "variable": [{"key": key, "value": value} for key, value in (_VARIABLES | _ids(shown)).items()],
        "item": [{"name": name, "item": items} for name, items in folders.items() if items],
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _converted() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "openapi.json", Path(folder) / "collection.json"
        source.write_text(json.dumps(typescript.slim(errors=False)))
        ended = node.run(
            "openapi2postmanv2", "-s", source, "-o", made, "-O", "folderStrategy=Tags,stackLimit=50"
        )
        assert made.exists(), ended.stdout + ended.stderr
        found: dict[str, Any] = json.loads(made.read_text())
        return found


def _items(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if "item" in item:
            yield from _items(item["item"])
        else:
            yield item


def _place(operation: Operation) -> tuple[int, bool, int, int, str]:
    tag = operation.told["tags"][0]
    folder = FOLDERS.index(tag) if tag in FOLDERS else len(FOLDERS)
    is_early = operation.operation_id in EARLY
    return folder, not is_early, operation.path.count("/"), _METHODS.index(operation.method), operation.path


def _item(operation: Operation, converted: dict[str, Any]) -> dict[str, Any]:
    asked = converted["request"]
    request: dict[str, Any] = {
        "method": asked["method"],
        "description": operation.told["description"],
        "header": [_header(header) for header in asked.get("header", [])],
        "url": _url(asked["url"]),
    }
    if operation.is_public:
        request["auth"] = {"type": "noauth"}
    if operation.body is not None:
        body = BODIES.get(operation.operation_id, operation.example or {})
        raw = json.dumps(body, indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    events = [_script("test", _checked(operation))]
    if before := BEFORE.get(operation.operation_id):
        events.insert(0, _script("prerequest", before))
    return {
        "name": converted["name"],
        "request": request,
        "event": events,
        "response": _answers(operation),
    }


def _header(header: dict[str, Any]) -> dict[str, Any]:
    value = "{{$guid}}" if header["key"] == "Idempotency-Key" else header["value"]
    return {"key": header["key"], "value": value, "disabled": header["key"] == "If-Match"}


def _url(url: dict[str, Any]) -> dict[str, Any]:
    """Give an address; only what must be given in its query is given."""
    query = [
        {
            "key": part["key"],
            "value": "",
            "description": part["description"]["content"],
            "disabled": not part["description"]["content"].startswith("(Required)"),
        }
        for part in url.get("query", [])
    ]
    variables = [
        {"key": part["key"], "value": f"{{{{{samples.camel(part['key'])}}}}}"}
        for part in url.get("variable", [])
    ]
    return {"host": url["host"], "path": url["path"], "query": query, "variable": variables}


def _answers(operation: Operation) -> list[dict[str, Any]]:
    example = samples.answer(operation)
    if example is None:
        return []
    return [
        {
            "name": str(operation.success),
            "code": operation.success,
            "header": [{"key": "Content-Type", "value": "application/json"}],
            "body": json.dumps(example, indent=2, ensure_ascii=False),
        }
    ]


def _auth() -> dict[str, Any]:
    told = {"key": settings.API_KEY_HEADER, "value": "{{apiKey}}", "in": "header"}
    return {
        "type": "apikey",
        "apikey": [{"key": key, "value": value, "type": "string"} for key, value in told.items()],
    }


def _script(listen: str, text: str) -> dict[str, Any]:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": text.strip().splitlines()}}


def _checked(operation: Operation) -> str:
    status = STATUSES.get(operation.operation_id, operation.success)
    check = f'pm.test("answers {status}", () => pm.response.to.have.status({status}));'
    if after := AFTER.get(operation.operation_id):
        check += f"\nconst body = pm.response.json();{after}"
    return check


def _ids(shown: list[Operation]) -> dict[str, str]:
    return {samples.camel(name): "" for name in _names(shown)}


def _names(shown: list[Operation]) -> list[str]:
    return sorted({name for operation in shown for name in operation.names})


def _hand_on(shown: list[Operation]) -> str:
    known = json.dumps({name: samples.camel(name) for name in _names(shown)})
    return f"""
// What was made, or else the first entry of a list, is what the next requests are about.
const known = {known};
let body = {{}};
try {{ body = pm.response.json(); }} catch (error) {{ /* there is none */ }}
const isMade = pm.response.code === 201;
const thing = (isMade ? body : (body.data || [])[0]) || {{}};
for (const [member, variable] of Object.entries(known)) {{
  const value = thing[member];
  const isId = typeof value === "string" || typeof value === "number";
  const isWanted = isId && (isMade || !pm.collectionVariables.get(variable));
  if (isWanted) pm.collectionVariables.set(variable, String(value));
}}
"""
