"""
What Meta tells the business about a message it accepted: sent, delivered, read.

On Instagram it is an echo and a read event.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/messages/status
"""

import time

from simulator import graph_errors, webhooks
from simulator.exchange import Json
from simulator.faults import Plan
from simulator.state import State
from simulator.webhooks import Customer

STEPS = ("sent", "delivered", "read")


def whatsapp_receipts(  # noqa: PLR0917 - one message's facts, each needed
    state: State, payload: Json, phone_number_id: str, customer: Customer, message_id: str, plan: Plan
) -> None:
    """Plan the status webhooks of one message."""
    if not state.behaviour.statuses:
        return
    failure = plan.step.get("fail_status")
    number = state.number(phone_number_id)
    for step, delay in zip(STEPS, state.behaviour.status_delays, strict=True):
        status = webhooks.whatsapp_status(
            step,
            message_id=message_id,
            customer=customer,
            sent_at=int(time.time() + delay),
            callback_data=payload.get("biz_opaque_callback_data"),
        )
        if failure:
            status = webhooks.whatsapp_failed_status(graph_errors.failure(int(failure)), status)
        document = webhooks.whatsapp_statuses([status], customer=customer, number=number)
        state.courier.insist_later(delay, document, [message_id])
        if failure:
            return


def instagram_receipts(state: State, text: str, account_id: str, recipient: str, message_id: str) -> None:
    """Plan the echo and the read event of one message."""
    if not state.behaviour.statuses:
        return
    first, _, last = state.behaviour.status_delays
    now = time.time()
    echo = webhooks.instagram_echo(
        text,
        message_id=message_id,
        recipient=recipient,
        account_id=account_id,
        sent_at_ms=int((now + first) * 1000),
    )
    read = webhooks.instagram_read(
        message_id, sender=recipient, account_id=account_id, sent_at_ms=int((now + last) * 1000)
    )
    state.courier.insist_later(first, echo, [message_id])
    state.courier.insist_later(last, read, [message_id])
