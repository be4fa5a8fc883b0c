"""
Serves a file that a stranger sent, so that no browser executes anything in it.

Only types of a known list are shown in the browser; everything else is a download without a type of its own.
"""

import re
from collections.abc import Iterator
from http import HTTPStatus

from django.core.files.base import File
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

# What a browser shows or plays by itself, without scripts.
INLINE_TYPES = frozenset(
    {
        *("image/png", "image/jpeg", "image/gif", "image/webp", "video/mp4", "video/3gpp"),
        *("audio/ogg", "audio/mpeg", "audio/aac", "audio/amr", "audio/wav", "audio/mp4", "audio/3gpp"),
    }
)
# Browsers do not show a sandboxed PDF: it is downloaded, and opened by a program that knows its type.
DOWNLOAD_TYPES = frozenset({"application/pdf"})
OPAQUE = "application/octet-stream"
POLICY = "sandbox; default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
_BLOCK_BYTES = 64 * 1024
# One range; others are answered with the whole file, as RFC 9110 allows.
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def file_response(
    request: HttpRequest, file: "File[bytes]", *, content_type: str, filename: str
) -> HttpResponseBase:
    """
    Return a file as a response, which closes it; a `Range` of it if the request names one.

    https://datatracker.ietf.org/doc/html/rfc9110#name-range-requests
    """
    is_inline = content_type in INLINE_TYPES
    headers = {
        "Content-Type": content_type if is_inline or content_type in DOWNLOAD_TYPES else OPAQUE,
        "Content-Disposition": content_disposition_header(not is_inline, filename) or "attachment",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "bytes",
    }
    size = file.size
    first, last = _range(request.headers.get("Range", ""), size)
    if first >= size > 0:
        file.close()
        unsatisfiable = headers | {"Content-Range": f"bytes */{size}"}
        return HttpResponse(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=unsatisfiable)
    status = HTTPStatus.OK
    if (first, last) != (0, size - 1):
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    headers["Content-Length"] = str(last - first + 1)
    return StreamingHttpResponse(_Slice(file, first, last), status=status, headers=headers)


class _Slice:
    """The bytes of a file from `first` to `last`, in blocks."""

    def __init__(self, file: "File[bytes]", first: int, last: int) -> None:
        self._file = file
        self._first = first
        self._left = last - first + 1

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(self._first)
        while self._left > 0 and (block := self._file.read(min(_BLOCK_BYTES, self._left))):
            self._left -= len(block)
            yield block

    def close(self) -> None:
        """Close the file; Django calls it when the response ends, also before its first block."""
        self._file.close()


def _range(header: str, size: int) -> tuple[int, int]:
    """Return the first and the last byte of a requested range; of the whole file if there is none."""
    match = _RANGE.fullmatch(header.strip())
    whole = (0, size - 1)
    if match is None or not any(match.groups()):
        return whole
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    if last and int(last) < int(first):
        return whole
    return int(first), min(int(last) if last else size - 1, size - 1)
