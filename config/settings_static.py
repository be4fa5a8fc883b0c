"""What Django and its libraries are told that no environment changes; the rest is in `settings`."""

from pathlib import Path

INSTALLED_APPS = [
    # Without a site of its own: config.admin.site has it, and finds the pages where they are served.
    "unfold.apps.BasicAppConfig",
    "config.admin.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "config.apps.ConfigConfig",
    "billing",
    "channels_app",
    "agents",
    "conversations",
    "extraction",
    "privacy",
]
MIDDLEWARE = [
    "config.lib.logs.CorrelationMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.host_check.HostCheckMiddleware",
    "config.admin.middleware.AdminHeadersMiddleware",
    "config.admin.middleware.AdminSessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.admin.middleware.AdminAuthenticationMiddleware",
    "config.admin.middleware.AdminSecondFactorMiddleware",
    "config.admin.middleware.AdminMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ADMIN = {
    "LOGIN_REDIRECT_URL": "/admin/",
    "SESSION_ENGINE": "config.admin.sessions",
    "SESSION_COOKIE_AGE": 8 * 3600,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SAMESITE": "Lax",
    "SESSION_COOKIE_PATH": "/admin/",
    "CSRF_COOKIE_HTTPONLY": True,
    "CSRF_COOKIE_SAMESITE": "Lax",
    "CSRF_COOKIE_PATH": "/admin/",
    # config/admin/attempts.py limits codes; django-otp's own waits double with each wrong code, up to years.
    "OTP_TOTP_THROTTLE_FACTOR": 0,
    "OTP_STATIC_THROTTLE_FACTOR": 0,
    "AUTH_PASSWORD_VALIDATORS": [
        {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
        for name, options in (
            ("UserAttributeSimilarityValidator", {}),
            ("MinimumLengthValidator", {"min_length": 12}),
            ("CommonPasswordValidator", {}),
            ("NumericPasswordValidator", {}),
        )
    ],
}
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
    "ACCOUNT": {"navigation": "config.admin.navigation.account"},
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
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.lib.api.parsing.StrictNegotiation",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.lib.api.parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "config.lib.api.schema.ProblemAutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": False,
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).resolve().parent.parent / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# Both ask for HSTS beyond this host (DJANGO_HSTS_INCLUDE_SUBDOMAINS, DJANGO_HSTS_PRELOAD), which browsers
# remember for a year: a decision about other hosts, and no fault.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# A statement that takes longer is a fault, and would hold a worker and its locks. Prepared statements look
# rows up by key. Left to itself Postgres plans some of them anew each time, and for tables that were small
# when they were first planned it keeps reading all of them.
DATABASE_SESSION = {
    "statement_timeout": "15s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
}
