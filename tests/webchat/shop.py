"""A shop's page on a server of its own, as strict as a page can be, with a number's widget on it."""

import html
import http.server
import json
import threading
import uuid
from typing import Any

from config.lib import crypto
from tests import environment
from tests.rig import Business, Rig

POLICY = (
    f"default-src 'none'; script-src {environment.API_URL}; connect-src {environment.API_URL}"
    f" {environment.LIVE_URL}; form-action 'none'; base-uri 'none'; frame-src {environment.API_URL};"
    " require-trusted-types-for 'script'; trusted-types 'none'; report-uri /reports"
)
SECRET = "wcs_a-secret-of-the-shop-as-long-as-ours-are"


class Shop:
    """Serves the page; `reports` are what browsers said was against its policy."""

    def __init__(self) -> None:
        self.reports: list[str] = []
        self.number = ""
        self.attributes: dict[str, str] = {}
        self.policy = POLICY
        self.head = ""
        self.dir, self.lang = "ltr", "en"
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = shop.page(self.path).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", shop.policy)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self) -> None:
                shop.reports.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def page(self, path: str) -> str:
        if path == "/framed":
            inside = f'<iframe src="{environment.API_URL}/webchat/{self.number}"></iframe>'
        elif path == "/sandboxed":
            chat = f"{environment.API_URL}/webchat/{self.number}"
            inside = f'<iframe sandbox="allow-scripts" src="{chat}"></iframe>'
        else:
            named = {"data-phone-number-id": self.number, **self.attributes}
            words = " ".join(f'{name}="{html.escape(value)}"' for name, value in named.items())
            inside = f'<script src="{environment.API_URL}/widget.js" {words} async></script>'
        return (
            f'<!doctype html><html lang="{self.lang}" dir="{self.dir}">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>Shop</title>{self.head}<header>Bakery</header><main><h1>Shop</h1></main>{inside}</html>"
        )

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def chat_on(rig: Rig, shop: Shop, **settings: Any) -> Business:
    """Make a business with a web chat that is allowed on the shop's page, and put it there."""
    business = rig.business(type="webchat", number=f"web_{uuid.uuid4().hex[:12]}")
    number = business.phone_number_id
    shown = {"title": "Example Bakery", "welcome_text": "Hello!", "color": "#b4531a", **settings}
    rig.execute(
        "INSERT INTO web_chats (phone_number_id, secret, allowed_origins, title, welcome_text, color, texts)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        *(number, crypto.encrypt(SECRET, context=f"web_chats:secret:{number}"), [shop.url]),
        *(shown["title"], shown["welcome_text"], shown["color"], json.dumps(shown.get("texts", {}))),
    )
    shop.number, shop.attributes, shop.policy, shop.head = number, {}, POLICY, ""
    shop.dir, shop.lang = "ltr", "en"
    return business
