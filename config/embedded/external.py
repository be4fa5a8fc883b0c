"""Trying a database or Redis that was given to us, before anything builds on it."""

import warnings
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded.errors import StartError

_TIMEOUT_SECONDS = 5


def connection(url: str) -> dict[str, Any]:
    """
    Read a database URL as Django does, into the words of psycopg.

    :raises StartError: if it is not one
    """
    message = "DATABASE_URL is not of the form postgres://user:password@host:5432/name."
    if urlsplit(url).scheme not in environ.Env.POSTGRES_FAMILY:
        raise StartError(message)
    try:
        with warnings.catch_warnings():
            # It warns about what it does not know, and the warning shows the password.
            warnings.simplefilter("error")
            parts = environ.Env.db_url_config(url)
        words = {"host": unquote(str(parts["HOST"])), "port": parts["PORT"], "dbname": parts["NAME"]}
        words |= {"user": parts["USER"], "password": parts["PASSWORD"]} | parts.get("OPTIONS", {})
    except (UserWarning, ValueError, KeyError, TypeError):
        raise StartError(message) from None
    return {name: value or None for name, value in words.items()}


def require_database(url: str) -> None:
    """
    Connect once to the database of DATABASE_URL.

    :raises StartError: in one line, without the password
    """
    words = connection(url)
    where = f"{words['dbname']!r} at {words['host'] or 'localhost'}:{words['port'] or 5432}"
    try:
        psycopg.connect(**words | {"connect_timeout": _TIMEOUT_SECONDS}).close()
    except psycopg.Error as error:
        message = f"DATABASE_URL: cannot connect to the database {where}: {_one_line(error)}"
        raise StartError(message) from None


def require_redis(url: str) -> None:
    """
    Ask the Redis of REDIS_URL for a PONG.

    :raises StartError: in one line, without the password
    """
    try:
        client = redis.Redis.from_url(
            url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        parts = urlsplit(url)
        where = parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
    except ValueError:
        raise StartError("REDIS_URL is not of the form redis://:password@host:6379/0.") from None
    try:
        with client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        raise StartError(f"REDIS_URL: cannot use the Redis at {where}: {_one_line(error)}") from None


def masked(url: str) -> str:
    """Return a URL without its password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@", 1)).geturl()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
