"""Addresses of conversations, messages and usage."""

from django.urls import path

from conversations.api.conversations import (
    CloseView,
    ConversationsView,
    OneConversationView,
    PauseView,
    ResumeView,
)
from conversations.api.messages import MessagesView, MessageView, RetryView
from conversations.api.replies import RepliesView
from conversations.api.usage import UsageView

_USER = "users/<slug:user_id>"
_CONVERSATION = f"{_USER}/conversations/<slug:conversation_id>"
_MESSAGE = f"{_USER}/messages/<slug:message_id>"

urlpatterns = [
    path(f"{_USER}/conversations", ConversationsView.as_view(), name="conversations"),
    path(_CONVERSATION, OneConversationView.as_view(), name="conversation"),
    path(f"{_CONVERSATION}/messages", RepliesView.as_view(), name="conversation-messages"),
    path(f"{_CONVERSATION}/pause", PauseView.as_view(), name="conversation-pause"),
    path(f"{_CONVERSATION}/resume", ResumeView.as_view(), name="conversation-resume"),
    path(f"{_CONVERSATION}/close", CloseView.as_view(), name="conversation-close"),
    path(f"{_USER}/messages", MessagesView.as_view(), name="messages"),
    path(_MESSAGE, MessageView.as_view(), name="message"),
    path(f"{_MESSAGE}/retry", RetryView.as_view(), name="message-retry"),
    path(f"{_USER}/usage", UsageView.as_view(), name="usage"),
]
