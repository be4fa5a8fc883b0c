"""Django's WSGI application; `web` serves it through config/asgi.py."""

import os

from django.core.wsgi import get_wsgi_application

from config.checks import refuse_to_start_half_configured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
refuse_to_start_half_configured()
