"""Addresses of users, keys and credits."""

from django.urls import path

from billing.api import scheme as scheme  # noqa: PLC0414  (registers itself)
from billing.api.credits import CreditsView
from billing.api.keys import KeyRotationView, KeysView, KeyView
from billing.api.users import UsersView, UserView

urlpatterns = [
    path("users", UsersView.as_view(), name="users"),
    path("users/<slug:user_id>", UserView.as_view(), name="user"),
    path("users/<slug:user_id>/api_keys", KeysView.as_view(), name="api-keys"),
    path("users/<slug:user_id>/api_keys/<slug:prefix>", KeyView.as_view(), name="api-key"),
    path("users/<slug:user_id>/api_keys/<slug:prefix>/rotate", KeyRotationView.as_view(), name="rotate"),
    path("users/<slug:user_id>/credits", CreditsView.as_view(), name="credits"),
]
