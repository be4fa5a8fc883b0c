"""The phone page at /phone, its files, and the state it shows, under /_simulator/phone/."""

from pathlib import Path

from simulator import phone_labels
from simulator.behaviour import Behaviour
from simulator.exchange import Answer, Header, Request, json_answer
from simulator.journal import Wanted
from simulator.state import State

EVENTS_PATH = "/_simulator/phone/events"
FOLDER = Path(__file__).parent / "phone"
TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".png": b"image/png",
    ".ogg": b"audio/ogg",
    ".pdf": b"application/pdf",
}
MOST_REQUESTS = 300
POLICY = (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'")
# Whatever a file holds, it runs nothing here.
SANDBOX = (b"content-security-policy", b"sandbox; default-src 'none'")
PLAIN = (b"x-content-type-options", b"nosniff")
SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/")


def is_addressed(request: Request) -> bool:
    """Tell whether a request is about the phone page."""
    is_page = request.path == "/phone" or request.path.startswith(("/phone/", "/_simulator/phone/"))
    return is_page and request.method == "GET"


def answer(state: State, request: Request) -> Answer:
    """Answer one request of the phone page."""
    match request.path:
        case "/phone":
            return _file("phone.html")
        case "/_simulator/phone/chats":
            return _chats(state)
        case "/_simulator/phone/requests":
            entries = state.journal.page(Wanted(), MOST_REQUESTS)
            return json_answer(200, [phone_labels.summary(entry) for entry in entries])
        case "/_simulator/phone/media":
            return _media(state, request.query().get("id", ""))
        case path:
            return _file(path.removeprefix("/phone/"))


def _file(name: str) -> Answer:
    file = FOLDER / name
    # Only names that the folder lists: no path leads out of it.
    if file not in FOLDER.iterdir() or file.suffix not in TYPES:
        return json_answer(404, {"error": f"the phone has no {name}"})
    headers: list[Header] = [POLICY, PLAIN, (b"cache-control", b"no-cache")]
    return Answer(200, file.read_bytes(), headers, content_type=TYPES[file.suffix])


def _chats(state: State) -> Answer:
    usual = Behaviour(state.environment.behaviour).document
    document = {
        "whatsapp": {
            "number": state.environment.phone_number_id,
            "shown": state.environment.display_phone_number,
        },
        "instagram": {"number": state.environment.instagram_account_id},
        "webhook_url": state.environment.webhook_url,
        "usual_latency": {name: usual[name]["latency"] for name in ("openai", "graph")},
        "chats": [
            {**chat.as_document(), "messages": [message.as_document() for message in chat.messages.values()]}
            for chat in state.chats
        ],
    }
    return json_answer(200, document, [(b"cache-control", b"no-store")])


def _media(state: State, media_id: str) -> Answer:
    media = state.media.get(media_id)
    if media is None:
        return json_answer(404, {"error": "there is no such file"})
    headers: list[Header] = [SANDBOX, PLAIN]
    if not media.mime_type.startswith(SHOWN):
        headers.append((b"content-disposition", b"attachment"))
    content_type = media.mime_type.encode("latin-1", "replace").replace(b"\r", b"").replace(b"\n", b"")
    return Answer(200, media.data, headers, content_type=content_type)
