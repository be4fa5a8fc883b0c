"""The check of the Host header, which health checks do not need."""

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware

# Load balancers and orchestrators send the address of a pod or target as Host.
HEALTH_PATHS = frozenset({"/health/live", "/health/ready"})


class HostCheckMiddleware(CommonMiddleware):
    """Django's CommonMiddleware, which refuses hosts that are not allowed, for all but health checks."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        """Check the Host; a health check shows and builds no address from it."""
        return None if request.path_info in HEALTH_PATHS else super().process_request(request)
