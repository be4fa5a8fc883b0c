"""A small HTTP/1.1 client for posting webhooks: it keeps connections open, and costs little."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

MOST_CONNECTIONS = 64
LONGEST_ANSWER = 1_000_000


class NotAnsweredError(Exception):
    """The other side could not be reached, or hung up, or did not answer in time."""


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_used: bool = False


class HttpClient:
    """Posts to one URL over at most `MOST_CONNECTIONS` connections."""

    def __init__(self, url: str, *, timeout: float = 20.0) -> None:
        """Remember where to post; nothing is opened yet."""
        parts = urlsplit(url)
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._netloc = parts.netloc.rpartition("@")[2]
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout = timeout
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(MOST_CONNECTIONS)

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """
        Post once and return the status.

        :raises NotAnsweredError: if no whole answer came
        """
        head = [f"POST {self._target} HTTP/1.1", f"Host: {self._netloc}", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join([*head, "", ""]).encode("latin-1") + body
        async with self._slots:
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._exchange(request)
            except TimeoutError:
                raise NotAnsweredError(f"no answer within {self._timeout:g} s") from None
            except (OSError, EOFError, ValueError) as error:
                raise NotAnsweredError(f"{type(error).__name__}: {error}") from None

    def close(self) -> None:
        """Close what is open and idle."""
        while self._idle:
            self._idle.pop().writer.close()

    async def _exchange(self, request: bytes) -> int:
        connection = await self._connection()
        try:
            connection.writer.write(request)
            status, is_reusable = await _read_answer(connection.reader)
        except (ConnectionError, EOFError):
            connection.writer.close()
            if not connection.is_used:
                raise
            # The other side may close an idle connection at any moment; that says nothing about this request.
            self.close()
            return await self._exchange(request)
        except BaseException:
            connection.writer.close()
            raise
        if is_reusable:
            connection.is_used = True
            self._idle.append(connection)
        else:
            connection.writer.close()
        return status

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            connection.writer.close()
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._is_tls or None)
        return _Connection(reader, writer)


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ", 2)[1])
    headers = dict(line.lower().split(":", 1) for line in lines[1:] if ":" in line)
    is_kept = "close" not in headers.get("connection", "")
    length = headers.get("content-length", "").strip()
    if "chunked" in headers.get("transfer-encoding", ""):
        await _read_chunks(reader)
    elif length:
        await reader.readexactly(int(length))
    elif status not in {204, 304}:
        await reader.read(LONGEST_ANSWER)
        is_kept = False
    return status, is_kept


async def _read_chunks(reader: asyncio.StreamReader) -> None:
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        await reader.readexactly(size + 2)
        if size == 0:
            return
