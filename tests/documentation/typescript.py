"""Makes documentation/examples/typescript/types.ts of the OpenAPI document, and compiles the examples."""

import copy
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.api.document import METHODS, document
from tests.documentation import node

FOLDER = Path(__file__).parents[2] / "documentation" / "examples" / "typescript"
TYPES = FOLDER / "types.ts"
HEAD = """\
// What the API takes and answers, made of its OpenAPI document by `make reference`.

"""


def slim(*, errors: bool) -> dict[str, Any]:
    """Give the document without what only people read of answers; of errors one stands for all, or none."""
    found = copy.deepcopy(document())
    for methods in found["paths"].values():
        for method in set(methods) & set(METHODS):
            responses = methods[method]["responses"]
            for status in list(responses):
                if int(status) >= 400:
                    del responses[status]
                else:
                    responses[status].pop("headers", None)
                    responses[status].pop("links", None)
            if errors:
                schema = {"$ref": "#/components/schemas/Problem"}
                responses["default"] = {
                    "description": "An error.",
                    "content": {"application/problem+json": {"schema": schema}},
                }
    return found


def types() -> str:
    """Give types.ts."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "openapi.json", Path(folder) / "types.ts"
        source.write_text(json.dumps(slim(errors=True)))
        ended = node.run(
            "openapi-typescript",
            *(source, "--output", made, "--root-types", "--root-types-no-schema-prefix"),
            *("--alphabetize", "--default-non-nullable=false"),
        )
        assert ended.returncode == 0, ended.stderr
        return HEAD + made.read_text()


def compile_to(folder: Path, **more: str) -> str:
    """Compile the examples, and `more` scripts by name, strictly; gives what the compiler complains of."""
    for source in FOLDER.glob("*.ts"):
        shutil.copy(source, folder)
    for name, text in more.items():
        (folder / f"{name}.ts").write_text(text)
    (folder / "package.json").write_text('{"type": "module"}')
    ended = node.run(
        "tsc",
        *("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--noUnusedLocals"),
        *("--noImplicitReturns", "--target", "esnext", "--module", "nodenext"),
        *("--lib", "esnext,dom,dom.asynciterable", "--typeRoots", folder, *sorted(folder.glob("*.ts"))),
    )
    return ended.stdout
