"""Addresses of numbers, agents, prompts and archives."""

from django.urls import path

from agents.api.agents import AgentsView, AgentView
from agents.api.archives import ArchivesView
from agents.api.phone_numbers import PhoneNumbersView, PhoneNumberView, WebChatSecretView
from agents.api.prompt_versions import PromptPreviewView, PromptRollbackView, PromptVersionsView
from agents.api.prompts import PromptsView, PromptView

_USER = "users/<slug:user_id>"
_NUMBER = f"{_USER}/phone_numbers/<slug:phone_number_id>"
_PROMPT = f"{_USER}/prompts/<slug:prompt_id>"

urlpatterns = [
    path(f"{_USER}/phone_numbers", PhoneNumbersView.as_view(), name="phone-numbers"),
    path(_NUMBER, PhoneNumberView.as_view(), name="phone-number"),
    path(f"{_NUMBER}/webchat_secret", WebChatSecretView.as_view(), name="webchat-secret"),
    path(f"{_USER}/agents", AgentsView.as_view(), name="agents"),
    path(f"{_USER}/agents/<slug:agent_id>", AgentView.as_view(), name="agent"),
    path(f"{_USER}/archives", ArchivesView.as_view(), name="archives"),
    path(f"{_USER}/prompts", PromptsView.as_view(), name="prompts"),
    path(_PROMPT, PromptView.as_view(), name="prompt"),
    path(f"{_PROMPT}/versions", PromptVersionsView.as_view(), name="prompt-versions"),
    path(f"{_PROMPT}/rollback", PromptRollbackView.as_view(), name="prompt-rollback"),
    path(f"{_PROMPT}/preview", PromptPreviewView.as_view(), name="prompt-preview"),
]
