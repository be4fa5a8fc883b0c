"""Links of the OpenAPI document: from what made a thing to what can be done with it."""

from typing import Any

_METHODS = ("get", "patch", "delete", "post")


def add(result: dict[str, Any], **_more: Any) -> dict[str, Any]:
    """
    Link every operation that answers 201 on a list's path to those one step below it.

    https://spec.openapis.org/oas/v3.1.1.html#link-object
    """
    paths, schemas = result["paths"], result["components"]["schemas"]
    for path, methods in paths.items():
        made = methods.get("post", {}).get("responses", {}).get("201")
        if made:
            links = dict(_links(path, made, paths, schemas))
            if links:
                made["links"] = links
    return result


def _links(path: str, made: dict[str, Any], paths: dict[str, Any], schemas: dict[str, Any]) -> Any:
    reference = made["content"]["application/json"]["schema"].get("$ref", "")
    known = schemas.get(reference.rpartition("/")[2], {}).get("properties", {})
    for below, methods in paths.items():
        rest = below.removeprefix(f"{path}/")
        name = rest.partition("/")[0].strip("{}")
        if rest == below or not rest.startswith("{") or rest.count("{") > 1 or name not in known:
            continue
        parameters = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
        for method in _METHODS:
            if method in methods:
                operation = methods[method]["operationId"]
                yield (
                    operation,
                    {
                        "operationId": operation,
                        "parameters": {
                            **{of: f"$request.path.{of}" for of in parameters},
                            name: f"$response.body#/{name}",
                        },
                    },
                )
