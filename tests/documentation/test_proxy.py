"""The proxy's page: nginx accepts its example, and its numbers are the service's."""

import re
import shutil
import subprocess

import pytest
from django.conf import settings

from channels_app.webchat.files import MOST_BYTES as PICTURE_BYTES
from config import asgi, webhook_asgi
from config.gateway import bodies, open_files
from config.lib.api.parsing import MOST_BYTES as API_BYTES
from tests.config import certificates
from tests.rig import PROJECT

PAGE = (PROJECT / "documentation" / "proxy.md").read_text()
[EXAMPLE] = re.findall(r"```nginx\n(.*?)```", PAGE, re.DOTALL)
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_nginx_accepts_the_example(tmp_path):
    pem = certificates.make(tmp_path, "agents.example")
    shutil.copy(pem, tmp_path / "fullchain.pem")
    shutil.copy(pem, tmp_path / "privkey.pem")
    text = EXAMPLE.replace("/etc/ssl/agents.example/", f"{tmp_path}/")
    file = tmp_path / "nginx.conf"
    file.write_text(f"pid {tmp_path}/nginx.pid;\nerror_log stderr;\n{text}")

    checked = subprocess.run(
        [NGINX, "-t", "-p", str(tmp_path), "-c", str(file)], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr


def test_the_example_serves_the_paths_of_each_process():
    assert f"location = {settings.WEBHOOK_PATH} {{" in EXAMPLE
    assert re.findall(r"proxy_pass http://(\w+);", EXAMPLE) == ["webhook", "live", "web", "web", "web", "web"]


@pytest.mark.parametrize(
    ("size", "limit"),
    [
        ("64k", bodies.SMALL_BYTES),
        ("1m", API_BYTES),
        ("5m", PICTURE_BYTES),
        ("4m", settings.DATA_UPLOAD_MAX_MEMORY_SIZE),
    ],
)
def test_the_example_lets_through_what_the_service_takes(size, limit):
    factor = {"k": 1024, "m": 1024 * 1024}[size[-1]]

    assert int(size[:-1]) * factor == limit
    assert f"client_max_body_size {size};" in EXAMPLE


def test_the_page_names_the_limits_of_the_service():
    for number in (
        open_files.CONNECTIONS,
        open_files.CONNECTIONS + 400,
        asgi.MAX_REQUESTS,
        webhook_asgi.MAX_REQUESTS,
    ):
        assert f"{number:,}" in PAGE
    for budget in (bodies.SMALL_BUDGET_BYTES, bodies.LARGE_BUDGET_BYTES):
        assert f"{budget // 1024 // 1024} MB" in PAGE
    for seconds in (bodies.BODY_SECONDS, bodies.STALL_SECONDS, asgi.PICTURE_SECONDS):
        assert f"{seconds:.0f} s" in PAGE
