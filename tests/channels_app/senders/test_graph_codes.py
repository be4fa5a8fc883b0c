"""Each of Meta's error codes has one meaning, and a send ends accordingly."""

import pytest

from channels_app.senders import graph_codes, whatsapp
from channels_app.senders.contract import ChannelBrokenError, NotDeliveredError, OutcomeUnknownError
from channels_app.senders.graph_codes import SUBCODES, VERDICTS, Verdict
from config.lib import event_loop
from simulator import graph_errors

_PERMISSIONS = range(201, 300)
CODES = sorted(set(VERDICTS) - set(_PERMISSIONS))
ENDINGS = {
    Verdict.MESSAGE: NotDeliveredError,
    Verdict.RETRY: NotDeliveredError,
    Verdict.CHANNEL: ChannelBrokenError,
    Verdict.UNKNOWN: OutcomeUnknownError,
}


def ending(simulator, outgoing, code: str) -> type[Exception]:
    simulator.behave(graph={"script": [{"code": code}]})
    with pytest.raises((NotDeliveredError, OutcomeUnknownError)) as caught:
        event_loop.run(whatsapp.send(outgoing()))
    return caught.type


def test_each_code_is_classified_once():
    codes = [code for listed in graph_codes._CODES.values() for code in listed]

    assert len(codes) == len(set(codes))


def test_the_simulator_can_produce_every_classified_code():
    assert set(graph_errors.CODES) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_send_ends_as_its_code_is_classified(simulator, outgoing, code):
    assert ending(simulator, outgoing, str(code)) is ENDINGS[VERDICTS[code]]


@pytest.mark.parametrize(("code", "subcode"), SUBCODES)
def test_a_send_ends_as_its_subcode_is_classified(simulator, outgoing, code, subcode):
    assert ending(simulator, outgoing, f"{code}:{subcode}") is ENDINGS[SUBCODES[code, subcode]]


@pytest.mark.parametrize("code", [code for code in CODES if VERDICTS[code] is Verdict.CHANNEL])
@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_broken_channel_is_recognized_with_any_status(simulator, outgoing, code, status):
    simulator.behave(graph={"script": [{"status": status, "code": code}]})

    with pytest.raises(ChannelBrokenError):
        event_loop.run(whatsapp.send(outgoing()))


@pytest.mark.parametrize("code", [None, "", "x", -1, True, {}, [], "9" * 5000, 999_999, "१९०"])
def test_an_unlisted_code_is_about_the_message(code):
    assert graph_codes.verdict(code) is Verdict.MESSAGE
