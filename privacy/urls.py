"""Addresses of erasure and export."""

from django.urls import path

from privacy.api.customers import EraseView, ErasureView, ExportView
from privacy.pages import DeletionCallbackView, DeletionStatusView

_CUSTOMER = "users/<slug:user_id>/customers/<slug:customer_id>"

urlpatterns = [
    path(f"{_CUSTOMER}/erase", EraseView.as_view(), name="customer-erase"),
    path(f"{_CUSTOMER}/erasure", ErasureView.as_view(), name="customer-erasure"),
    path(f"{_CUSTOMER}/export", ExportView.as_view(), name="customer-export"),
    path("meta/data_deletion", DeletionCallbackView.as_view(), name="deletion-callback"),
    path("meta/data_deletion/<slug:code>", DeletionStatusView.as_view(), name="deletion-status"),
]
