"""Webhooks to a business: endpoints, and the events on their way to them."""
