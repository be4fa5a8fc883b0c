"""A production that lacks nothing; its servers are away."""

import base64

PRODUCTION = {
    "APP_ENV": "production",
    "DJANGO_SECRET_KEY": "k" * 60,
    "DJANGO_ALLOWED_HOSTS": "example.com",
    "FIELD_ENCRYPTION_KEY": base64.b64encode(b"x" * 32).decode(),
    "WEBHOOK_SECRET": "secret",
    "WEBHOOK_VERIFY_TOKEN": "token",
    "OPENAI_API_KEY": "sk-real",
    "DATABASE_URL": "postgres://user@127.0.0.1:1/app",
    "REDIS_URL": "redis://127.0.0.1:1",
}
