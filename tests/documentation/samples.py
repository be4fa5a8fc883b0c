"""How an operation is called with curl and in TypeScript, made of its examples."""

import json
from typing import Any

from django.conf import settings

from tests.api.document import Operation
from tests.documentation import fields


def is_list(operation: Operation) -> bool:
    """Tell whether it answers in pages."""
    return operation.method == "get" and "cursor" in operation.parameters("query")


def is_file(operation: Operation) -> bool:
    """Tell whether it answers with a file and not with JSON."""
    return "text/csv" in operation.told["responses"][str(operation.success)].get("content", {})


def is_for_operators(operation: Operation) -> bool:
    """Tell whether only an operator may do it."""
    return "permission_denied" in operation.problems(403)


def curl(operation: Operation) -> str:
    """Give the command."""
    path = operation.path
    for name in operation.names:
        path = path.replace(f"{{{name}}}", f"${name.upper()}")
    query = _query(operation)
    words = [f'curl -sS "$API{path}{query}"']
    if operation.method not in {"get", "post"} or (operation.method == "post" and operation.body is None):
        words.append(f"-X {operation.method.upper()}")
    if not operation.is_public:
        key = "OPERATOR_KEY" if is_for_operators(operation) else "KEY"
        words.append(f'-H "{settings.API_KEY_HEADER}: ${key}"')
    if "Idempotency-Key" in operation.parameters("header"):
        words.append("-H \"Idempotency-Key: $(python3 -c 'import uuid; print(uuid.uuid4())')\"")
    if operation.body is not None:
        words.append("-H 'content-type: application/json'")
    lines = " \\\n  ".join([" ".join(words[:2]), *words[2:]])
    if operation.body is not None:
        body = json.dumps(operation.example or {}, indent=2, ensure_ascii=False).replace("'", r"\u0027")
        lines += f" \\\n  -d '{body}'"
    return lines


def _query(operation: Operation) -> str:
    required = [name for name, told in operation.parameters("query").items() if told.get("required")]
    shown = [f"{name}={_value(operation, name)}" for name in required]
    if is_list(operation):
        shown.append("limit=20")
    return f"?{'&'.join(shown)}" if shown else ""


def _value(operation: Operation, name: str) -> str:
    schema = fields.plain(operation.parameters("query")[name]["schema"])
    if "enum" in schema:
        return str(schema["enum"][0])
    return {"date": "2026-11-01", "date-time": "2026-11-01T00:00:00Z"}.get(schema.get("format", ""), "…")


def typescript(operation: Operation) -> str:
    """Give the call, on the client of examples/typescript/http.ts."""
    options: list[str] = []
    if operation.names:
        options.append(f"path: {{ {', '.join(_assigned(name) for name in operation.names)} }}")
    query = [
        f'"{name}": "{_value(operation, name)}"'
        for name, told in operation.parameters("query").items()
        if told.get("required")
    ]
    if query:
        options.append(f"query: {{ {', '.join(query)} }}")
    if operation.body is not None:
        body = json.dumps(operation.example or {}, indent=2, ensure_ascii=False)
        options.append("body: " + body.replace("\n", "\n  "))
    if "Idempotency-Key" in operation.parameters("header"):
        options.append("idempotencyKey: crypto.randomUUID()")
    given = ", {\n" + "".join(f"  {option},\n" for option in options) + "}" if options else ""
    who = "operatorApi" if is_for_operators(operation) else "api"
    if is_list(operation):
        return (
            f'for await (const {_singular(operation)} of {who}.each("{operation.path}"{given})) {{\n'
            f"  console.log({_singular(operation)});\n}}"
        )
    method = "download" if is_file(operation) else operation.method
    call = f'await {who}.{method}("{operation.path}"{given});'
    return call if operation.success == 204 else f"const {_result(operation)} = {call}"


def _assigned(name: str) -> str:
    return f"{name}: {camel(name)}"


def camel(name: str) -> str:
    """Write a name as JavaScript does."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _singular(operation: Operation) -> str:
    last = operation.path.rpartition("/")[2]
    irregular = {"credits": "line", "api_keys": "key", "deliveries": "delivery"}
    return irregular.get(last, camel(last).removesuffix("s"))


def _result(operation: Operation) -> str:
    rest = operation.operation_id.split("_", 1)[-1]
    return camel(rest)


def answer(operation: Operation) -> Any:
    """Give the example of what is answered; None where there is none."""
    content = operation.told["responses"][str(operation.success)].get("content", {})
    examples = content.get("application/json", {}).get("examples", {})
    return next(iter(examples.values()))["value"] if examples else None
