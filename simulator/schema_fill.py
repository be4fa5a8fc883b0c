"""Fills a JSON schema the way an honest model would that knows nothing: null wherever null is allowed."""

from typing import Any

from simulator.exchange import Json

MARK = "[simulated]"
DEEPEST = 12
FORMATS = {
    "date-time": "2030-01-01T09:00:00Z",
    "date": "2030-01-01",
    "time": "09:00:00Z",
    "email": "simulated@example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def fill(schema: Json) -> Any:
    """Return a value that fits the schema."""
    return _value(schema, schema.get("$defs") or schema.get("definitions") or {}, 0)


def _value(schema: Any, definitions: Json, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > DEEPEST:
        return None
    schema = _resolved(schema, definitions)
    if "const" in schema:
        return schema["const"]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return _chosen(options, definitions, depth)
    if "enum" in schema:
        return None if None in schema["enum"] else schema["enum"][0]
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if "null" in kinds:
        return None
    return _typed(kinds[0], schema, definitions, depth)


def _resolved(schema: Json, definitions: Json) -> Json:
    if "$ref" in schema:
        target = definitions.get(str(schema["$ref"]).rpartition("/")[2], {})
        return _resolved(
            {**target, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions
        )
    if schema.get("allOf"):
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        parts = [_resolved(part, definitions) for part in schema["allOf"]]
        return {**{key: value for part in parts for key, value in part.items()}, **rest}
    return schema


def _chosen(options: list[Json], definitions: Json, depth: int) -> Any:
    values = [_value(option, definitions, depth + 1) for option in options]
    return None if None in values else values[0]


def _typed(kind: Any, schema: Json, definitions: Json, depth: int) -> Any:
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties") or {}
        return {name: _value(part, definitions, depth + 1) for name, part in properties.items()}
    if kind == "array":
        return [_value(schema.get("items"), definitions, depth + 1) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        text = FORMATS.get(schema.get("format", ""), MARK)
        return (
            text[: schema["maxLength"]]
            if "maxLength" in schema
            else text.ljust(schema.get("minLength", 0), ".")
        )
    if kind in {"integer", "number"}:
        return _number(schema)
    return False if kind == "boolean" else None


def _number(schema: Json) -> Any:
    if "minimum" in schema:
        return schema["minimum"]
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    return min(0, schema.get("maximum", 0))
