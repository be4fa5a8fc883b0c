"""Addresses of conversations, messages and usage."""

from django.urls import path

from conversations.api import webchat_openapi as webchat_openapi  # noqa: PLC0414  (registers itself)
from conversations.api.conversations import (
    CloseView,
    ConversationsView,
    OneConversationView,
    PauseView,
    ResumeView,
)
from conversations.api.customers import CustomersView, CustomerView
from conversations.api.media import MediaView
from conversations.api.messages import MessagesView, MessageView, RetryView
from conversations.api.replies import RepliesView
from conversations.api.usage import UsageView
from conversations.api.waiting import WaitingMessagesView
from conversations.api.webchat import ConfigView, SessionsView
from conversations.api.webchat_files import FilesView, FileView
from conversations.api.webchat_messages import ChatMessagesView, ReadView

_USER = "users/<slug:user_id>"
_CONVERSATION = f"{_USER}/conversations/<slug:conversation_id>"
_MESSAGE = f"{_USER}/messages/<slug:message_id>"
_CHAT = "webchat/<slug:phone_number_id>"

urlpatterns = [
    path(f"{_USER}/customers", CustomersView.as_view(), name="customers"),
    path(f"{_USER}/customers/<slug:customer_id>", CustomerView.as_view(), name="customer"),
    path(f"{_USER}/conversations", ConversationsView.as_view(), name="conversations"),
    path(_CONVERSATION, OneConversationView.as_view(), name="conversation"),
    path(f"{_CONVERSATION}/messages", RepliesView.as_view(), name="conversation-messages"),
    path(f"{_CONVERSATION}/pause", PauseView.as_view(), name="conversation-pause"),
    path(f"{_CONVERSATION}/resume", ResumeView.as_view(), name="conversation-resume"),
    path(f"{_CONVERSATION}/close", CloseView.as_view(), name="conversation-close"),
    path(f"{_USER}/messages", MessagesView.as_view(), name="messages"),
    path(_MESSAGE, MessageView.as_view(), name="message"),
    path(f"{_MESSAGE}/retry", RetryView.as_view(), name="message-retry"),
    path(
        f"{_USER}/phone_numbers/<slug:phone_number_id>/waiting_messages",
        WaitingMessagesView.as_view(),
        name="waiting-messages",
    ),
    path("media/<slug:message_id>/<int:index>", MediaView.as_view(), name="media-file"),
    path(f"{_USER}/usage", UsageView.as_view(), name="usage"),
    path(f"{_CHAT}/config", ConfigView.as_view(), name="webchat-config"),
    path(f"{_CHAT}/sessions", SessionsView.as_view(), name="webchat-sessions"),
    path(f"{_CHAT}/messages", ChatMessagesView.as_view(), name="webchat-messages"),
    path(f"{_CHAT}/read", ReadView.as_view(), name="webchat-read"),
    path(f"{_CHAT}/files", FilesView.as_view(), name="webchat-files"),
    path(f"{_CHAT}/files/<slug:file_id>", FileView.as_view(), name="webchat-file"),
]
