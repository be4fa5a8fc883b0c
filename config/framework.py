"""What Django and its libraries are told that no environment changes; the rest is in `settings`."""

INSTALLED_APPS = [
    "unfold",
    # config.admin.site finds the pages, where they are served: workers do without.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "config.apps.ConfigConfig",
    "billing",
    "channels_app",
    "agents",
    "conversations",
    "extraction",
    "simulator",
]
MIDDLEWARE = [
    "config.lib.logs.CorrelationMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "config.admin.middleware.AdminHeadersMiddleware",
    "config.admin.middleware.AdminSessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.admin.middleware.AdminAuthenticationMiddleware",
    "config.admin.middleware.AdminMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# Pages use nothing but their own files; a page that needs more says so where its route is.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
UNFOLD = {
    "SITE_TITLE": "AI agents",
    "SITE_HEADER": "AI agents",
    "SITE_SYMBOL": "forum",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/static/docs/icon.svg"}],
    "DASHBOARD_CALLBACK": "config.admin.dashboard.show",
    "LOGIN": {"form": "config.admin.login.LoginForm"},
    "STYLES": ["/static/staff/admin.css"],
    "SIDEBAR": {"navigation": "config.admin.navigation.groups"},
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "config.lib.api.failures.ProblemHandler",
    "EXCEPTION_FORMATTER_CLASS": "config.lib.api.failures.ProblemFormatter",
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}
DRF = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["billing.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.lib.api.parsing.AlwaysJSON",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.lib.api.parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "config.lib.api.schema.ProblemAutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": False,
}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # For those who ring: a frozen Redis must not hold a webhook. Workers set their own in config/celery.py.
    "socket_timeout": 0.5,
    "socket_connect_timeout": 0.5,
    # Without these a ring to a Redis that is away takes six seconds.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "socket_keepalive": True,
    "health_check_interval": 10,  # finds a half-open connection
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,  # the defaults restore un-acked messages after 100 s only
    "unacked_restore_throttle": 1,
}
