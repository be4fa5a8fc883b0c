"""Values that everybody knows, and what else must hold where strangers may reach the service."""

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  (Django's name)

from config.lib import local_secrets


def check_exposure() -> list[CheckMessage]:
    """Check what must not be used where strangers may reach the service, whatever APP_ENV says."""
    if not settings.EXPOSED_BY:
        return []
    reason = f"{' and '.join(settings.EXPOSED_BY)} may let strangers reach this service"
    messages: list[CheckMessage] = [
        Error(
            f"{name} has a value that was published with the source, and {reason}: set one of your own.",
            id="config.E012",
        )
        for name in names()
        # The simulator takes any key.
        if name != "OPENAI_API_KEY"
    ]
    if "WEBHOOK_SECRET" in settings.LOCAL_SECRETS and settings.EXPOSED_BY != ["DJANGO_ALLOWED_HOSTS"]:
        text = "WEBHOOK_SECRET is not set: webhooks of Meta are refused until it is the Meta app's secret."
        messages.append(Warning(text, id="config.W002"))
    return messages


def check_proxies() -> list[CheckMessage]:
    """Check that a service behind a proxy tells its visitors apart."""
    if not getattr(settings, "SECURE_PROXY_SSL_HEADER", None) or settings.TRUSTED_PROXIES:
        return []
    text = (
        "TRUST_FORWARDED_PROTO is on, but TRUSTED_PROXIES is 0: all visitors share the limits of one address."
    )
    return [Warning(text, hint="Set TRUSTED_PROXIES to the number of proxies in front.", id="config.W009")]


def check_endpoints() -> list[CheckMessage]:
    """Check that a business cannot have requests sent to our own network."""
    if not (settings.WEBHOOK_ENDPOINTS_PRIVATE and (settings.IS_PRODUCTION or settings.EXPOSED_BY)):
        return []
    text = "WEBHOOK_ENDPOINTS_PRIVATE is on: a business's webhooks may be sent to addresses of this network."
    return [Warning(text, id="config.W010")]


def names() -> list[str]:
    """Return the variables whose value, or one of whose values, was published with the source."""
    values = {
        "DJANGO_SECRET_KEY": [settings.DJANGO_SECRET_KEY],
        "FIELD_ENCRYPTION_KEY": settings.FIELD_ENCRYPTION_KEYS,
        "WEBHOOK_SECRET": settings.WEBHOOK_SECRETS,
        "WEBHOOK_VERIFY_TOKEN": [settings.WEBHOOK_VERIFY_TOKEN],
        "OPENAI_API_KEY": [settings.OPENAI_API_KEY],
    }
    # Behind the checkout's own key the published one stands only to decrypt.
    if "FIELD_ENCRYPTION_KEY" in settings.LOCAL_SECRETS:
        values["FIELD_ENCRYPTION_KEY"] = settings.FIELD_ENCRYPTION_KEYS[:1]
    return [name for name, value in values.items() if local_secrets.PUBLISHED[name] in value]
