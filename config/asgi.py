"""
What the process `web` serves: the API, the admin, the documentation and the web chat's pages.

The webhook has a process of its own (`config/webhook_asgi.py`); here its path is 404.
"""

import re
from functools import partial

from config.wsgi import application as django  # sets Django up

# isort: split
from billing.authentication import check_key
from channels_app.webchat.files import MOST_BYTES as PICTURE_BYTES
from config.gateway import open_files, wsgi_bridge
from config.gateway.application import Application
from config.gateway.bodies import BodyRule
from config.gateway.incoming import Incoming
from config.gateway.responses import Response
from config.gateway.shares import owner_of
from config.lib.api.parsing import MOST_BYTES as API_BYTES
from config.monitoring import process
from conversations.api.webchat_uploads import ADMITTED, admit_upload

# The widget waits as long for a picture on a bad line.
PICTURE_SECONDS = 60.0
MAX_REQUESTS = 512
_UPLOAD = re.compile(r"/webchat/([A-Za-z0-9_-]+)/files")
_DEFAULT = BodyRule()


def _admit_key(request: Incoming) -> dict[str, str]:
    check_key(headers=request.headers, address=request.address)
    return {}


def _admit_upload(request: Incoming) -> dict[str, str]:
    upload = _UPLOAD.fullmatch(request.path)
    assert upload is not None
    return admit_upload(phone_number_id=upload[1], headers=request.headers, address=request.address)


_API = BodyRule(max_bytes=API_BYTES, admit=_admit_key)
_PICTURE = BodyRule(
    max_bytes=PICTURE_BYTES, seconds=PICTURE_SECONDS, admit=_admit_upload, admits_every_size=True
)


def body_rule(request: Incoming) -> BodyRule:
    """Return how large the body of a request may be, and who has to be known before it is read."""
    if request.path.startswith("/users"):
        return _API
    if request.method == "POST" and _UPLOAD.fullmatch(request.path):
        return _PICTURE
    return _DEFAULT


async def _respond(request: Incoming, body: bytes, is_admitted: bool) -> Response:  # noqa: FBT001
    return await wsgi_bridge.respond(django, request, body, extra={ADMITTED: is_admitted})


open_files.allow()
application = Application(
    rule_of=body_rule,
    respond=_respond,
    max_requests=MAX_REQUESTS,
    owner_of=owner_of,
    on_start=partial(process.start, "web"),
)
