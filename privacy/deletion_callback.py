"""
Meta's request to delete a person's data: erases whoever is known by the id, and says how far that is.

https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback
"""

from enum import StrEnum

import structlog
from django.db.models import Q

from channels_app.models import Customer
from privacy import erasure
from privacy.models import DeletionRequest, Erasure

log = structlog.get_logger(__name__)

_MOST = 1000


class Progress(StrEnum):
    """How far a request is."""

    NOTHING = "nothing"
    RUNNING = "running"
    DONE = "done"


def begin(person_id: str) -> DeletionRequest:
    """
    Erase the customers whom Meta knows by this id, on whatever number; none may be known.

    The id is that of a person on Instagram or a business-scoped one. Each customer is erased in a transaction
    of its own.
    """
    by_any = Q(ig_id=person_id) | Q(bsuid=person_id)
    known = Customer.objects.filter(by_any) if person_id else Customer.objects.none()
    erasure_ids = [
        erasure.begin(customer_id=customer_id, source=Erasure.Source.META).pk
        for customer_id in known.order_by("pk").values_list("pk", flat=True)[:_MOST]
    ]
    request = DeletionRequest.objects.create(erasure_ids=erasure_ids)
    log.warning("deletion.requested_by_meta", customers=len(erasure_ids))
    return request


def progress(request: DeletionRequest) -> Progress:
    """Return how far a request is."""
    if not request.erasure_ids:
        return Progress.NOTHING
    running = Erasure.objects.filter(pk__in=request.erasure_ids, state=Erasure.State.RUNNING)
    return Progress.RUNNING if running.exists() else Progress.DONE
