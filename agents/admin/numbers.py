"""What the page of a number shows of the room above: who answers, and who waits if nobody does."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince

from agents import unanswered
from agents.models import Agent
from channels_app.models import PhoneNumber
from config.admin.pages import extend, link


@admin.display(description="answered by")
def answered_by(number: PhoneNumber) -> Any:
    """Link to the number's agent."""
    if number.deleted_at is not None:
        return "-"
    agent = Agent.objects.live().filter(phone_number_id=number.pk).first()
    return link(agent) if agent else "No agent: put one on this number"


@admin.display(description="waiting messages")
def waiting_messages(number: PhoneNumber) -> Any:
    """Return how many messages wait and since when, with a link to them."""
    waiting = unanswered.waiting(phone_number_id=number.pk)
    count = waiting["messages"]
    if not count:
        return "none"
    listed = reverse("admin:channels_app_inboundmessage_changelist")
    query = urlencode({"phone_number_id__exact": number.pk, "status__exact": "pending"})
    counted = f"{unanswered.MOST_COUNTED} or more" if count == unanswered.MOST_COUNTED else str(count)
    since = timesince(waiting["since"], timezone.now())
    return format_html(
        '<a class="staff-link" href="{}?{}">{}</a>, the oldest for {}', listed, query, counted, since
    )


extend(PhoneNumber, fields=[answered_by, waiting_messages])
