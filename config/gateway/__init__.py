"""The HTTP front of `web` and `webhook`: limits and checks that apply before a thread is taken."""
