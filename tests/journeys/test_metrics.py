"""A message leaves its traces in the metrics of every process it goes through."""

import requests

from tests.environment import free_ports
from tests.rig import wait_until


def samples(address: str, path: str = "/metrics") -> dict[str, float]:
    """Return the values of a process, by name and labels as they are written."""
    lines = requests.get(f"http://{address}{path}", timeout=30).text.splitlines()
    return {name: float(value) for name, _, value in (
        line.rpartition(" ") for line in lines if not line.startswith("#"))}  # fmt: skip


def test_message_is_measured_from_webhook_to_sent_reply(rig):
    [port] = free_ports(1)
    rig.start("webhook", "worker", "extractor", "sweeper", METRICS_PORT=str(port))
    business = rig.business()

    assert business.write("Hello") == 200
    business.wait_until_quiet()

    processes = wait_until(lambda: targets(port), what="the targets of four processes")
    webhook, worker = samples(processes["webhook"]), samples(processes["worker"])
    assert webhook['agents_webhooks_total{outcome="stored",source="meta"}'] >= 1
    assert webhook['agents_http_request_seconds_count{kind="webhook",status="200"}'] >= 1
    assert worker["agents_claim_wait_seconds_count"] == 1
    assert worker['agents_step_turns_sum{step="store_drafts"}'] == 1
    assert worker['agents_model_call_seconds_count{operation="responses",outcome="ok"}'] == 1
    assert worker['agents_graph_call_seconds_count{operation="message",outcome="ok"}'] == 1
    assert worker['agents_send_seconds_count{channel="whatsapp",outcome="sent"}'] == 1
    assert worker['agents_turn_seconds_count{state="done"}'] == 1
    assert worker["agents_process_open_turns"] == 0
    assert worker["agents_database_pool_size"] >= 1
    assert worker['agents_process_info{role="worker",version="0.1.0"}'] == 1
    assert worker["process_resident_memory_bytes"] > 0
    service = samples(processes["sweeper"], "/metrics/service")
    assert service["agents_waiting_turns"] == 0
    assert service['agents_role_processes{role="worker"}'] >= 1  # earlier ones still count for a while


def targets(port: int) -> dict[str, str]:
    """Return the address of each role once all four are listed."""
    found = requests.get(f"http://127.0.0.1:{port}/targets", timeout=30).json()
    addresses = {target["labels"]["role"]: target["targets"][0] for target in found}
    return addresses if {"webhook", "worker", "extractor", "sweeper"} <= addresses.keys() else {}
