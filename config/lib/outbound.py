"""
The one way out to the internet for calls that no vendor's SDK makes.

Redirects are never followed: an `Authorization` header must not travel to a host it was not meant for.
"""

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from config.lib import logs

_session = requests.Session()
_session.trust_env = False
_session.mount("http://", HTTPAdapter(pool_connections=8, pool_maxsize=200))
_session.mount("https://", HTTPAdapter(pool_connections=8, pool_maxsize=200))


class NotSentError(Exception):
    """The connection was never made, so the other side has received nothing."""


class NoAnswerError(Exception):
    """Bytes may have left, but no complete answer came back: the outcome is unknown."""


def post_json(url: str, *, body: object, token: str, timeout: float) -> requests.Response:
    """
    Post JSON with a bearer token, once.

    :raises NotSentError: if no connection could be made
    :raises NoAnswerError: on a timeout or a broken connection after that
    """
    headers = {"authorization": f"Bearer {token}", settings.CORRELATION_ID_HEADER: logs.correlation_id()}
    try:
        return _session.post(url, json=body, headers=headers, timeout=(3.05, timeout), allow_redirects=False)
    except (requests.exceptions.InvalidHeader, UnicodeError) as error:
        raise NotSentError("a token that no header can hold") from error
    except requests.ConnectTimeout as error:
        raise NotSentError("no connection in time") from error
    except requests.ConnectionError as error:
        if "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error):
            raise NotSentError("connection refused") from error
        raise NoAnswerError("connection broken") from error
    except requests.RequestException as error:
        raise NoAnswerError(type(error).__name__) from error
