"""A schedule of requests → when each was answered. Open-loop: it never waits for an answer.

A request's time counts from the moment at which it was due, so that neither a server nor this
client can hide that it was late. It is a program, and a cell has two of it: the good clients, and
those who cause the faults, so that these take no time of the others'.

    client.py good '{"port": 8000, "start": 12.5, "due": [0.02, 0.04, …], "patience": 5}'
    client.py bad '{"port": 8000, "start": 12.5, "due": [[1.4, "lock"], …], "until": 15, …}'

`start` is on CLOCK_MONOTONIC, all else in seconds from then on. The result is JSON on stdout.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any

HOST = "127.0.0.1"
GIGABYTE = 10**9
CHUNK = 1_000_000
SLOW_UPLOAD = 1_000_000  # bytes, in SLOW_SECONDS
SLOW_SECONDS = 30.0
SLOW_DOWNLOAD = 7_000  # bytes in a second
STEP = 0.1  # seconds between the pieces of a slow client
SMALL = 4_096  # bytes of a slow client's receive buffer: the server's own fills, and it must wait
AGAIN = 1.0  # seconds after which a slow client who was turned away comes again


async def good(*, port: int, start: float, due: list[float], patience: float) -> dict[str, Any]:
    """GET / at each moment of `due`; an answer is [due, seconds or None, what became of it]."""
    answers: list[tuple[float, float | None, str]] = []
    late: list[float] = []

    async def one(at: float) -> None:
        late.append(time.monotonic() - start - at)
        left = patience - late[-1]
        try:
            async with asyncio.timeout(left):
                word = await get(port, "/")
        except TimeoutError:
            word = "timeout"
        except OSError as error:
            word = type(error).__name__
        took = time.monotonic() - start - at
        answers.append((at, took if word == "200" else None, word))

    await scheduled(start, [(at, one(at)) for at in due])
    return {"answers": sorted(answers), "late": sorted(late), "cpu": cpu() / max(due[-1], 1)}


async def bad(
    *,
    port: int,
    start: float,
    due: list[tuple[float, str]],
    until: float,
    uploads: int,
    downloads: int,
) -> dict[str, Any]:
    """The faults that are `due`, beside slow clients, until all give up at once."""
    words: Counter[str] = Counter()

    async def one(kind: str) -> None:
        words["sent"] += 1
        try:
            words[await (upload(port) if kind == "upload" else get(port, f"/{kind}"))] += 1
        except OSError as error:
            words[type(error).__name__] += 1

    async def again(kind: str) -> None:
        while True:
            began = time.monotonic()
            try:
                word = await (slow_upload(port) if kind == "slow upload" else slow_download(port))
            except OSError as error:
                word = type(error).__name__
            words[f"{kind}: {word}"] += 1
            await asyncio.sleep(max(0.0, AGAIN - (time.monotonic() - began)))

    slow = [again("slow upload") for _ in range(uploads)]
    slow += [again("slow download") for _ in range(downloads)]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(start + until - time.monotonic()):
            requests = [(at, one(kind)) for at, kind in due]
            await scheduled(start, [*((0.0, it) for it in slow), *requests])
            await asyncio.sleep(until)
    return {"words": words, "cpu": cpu() / until}


async def scheduled(start: float, jobs: list[tuple[float, Coroutine[None, None, None]]]) -> None:
    """Start each job when it is due, and return when all have ended."""
    async with asyncio.TaskGroup() as group:
        for at, job in jobs:
            await asyncio.sleep(max(0.0, start + at - time.monotonic()))
            group.create_task(job)


async def get(port: int, path: str) -> str:
    """The status, where the answer came in full; else what was wrong with it."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(head("GET", path))
        return await answer(reader)
    finally:
        writer.transport.abort()


async def answer(reader: asyncio.StreamReader) -> str:
    """Read an answer to its end, as its length has it."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        return "cut off" if error.partial else "empty"
    status, *lines = text.split("\r\n")
    headers = dict(line.lower().split(":", 1) for line in lines if ":" in line)
    left = int(headers.get("content-length", -1))
    while left:
        data = await reader.read(1 << 20)
        if not data:
            return status.split()[1] if left < 0 else "cut off"
        left -= len(data) if left > 0 else 0
    return status.split()[1]


async def upload(port: int) -> str:
    """POST a gigabyte, from memory, without a copy in this process."""
    loop = asyncio.get_running_loop()
    file = os.fdopen(os.memfd_create("upload"), "r+b", buffering=0)
    file.write(b"x" * CHUNK)
    with file, connection() as sock:
        await loop.sock_connect(sock, (HOST, port))
        await loop.sock_sendall(sock, head("POST", "/upload", GIGABYTE))
        for _ in range(GIGABYTE // CHUNK):
            await loop.sock_sendfile(sock, file, 0, CHUNK, fallback=False)
        return status(await loop.sock_recv(sock, CHUNK))


async def slow_upload(port: int) -> str:
    """POST a megabyte in half a minute."""
    loop = asyncio.get_running_loop()
    pieces = round(SLOW_SECONDS / STEP)
    with connection() as sock:
        await loop.sock_connect(sock, (HOST, port))
        await loop.sock_sendall(sock, head("POST", "/upload", SLOW_UPLOAD))
        for number in range(pieces):
            part = SLOW_UPLOAD * (number + 1) // pieces - SLOW_UPLOAD * number // pieces
            await loop.sock_sendall(sock, b"x" * part)
            await asyncio.sleep(STEP)
        return status(await loop.sock_recv(sock, CHUNK))


async def slow_download(port: int) -> str:
    """GET what is large, a few bytes at a time."""
    loop = asyncio.get_running_loop()
    with connection() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        await loop.sock_connect(sock, (HOST, port))
        await loop.sock_sendall(sock, head("GET", "/download"))
        first = b""
        while data := await loop.sock_recv(sock, round(SLOW_DOWNLOAD * STEP)):
            first = first or data
            await asyncio.sleep(STEP)
        return status(first)


def connection() -> socket.socket:
    """A socket that does not block."""
    sock = socket.socket()
    sock.setblocking(False)
    return sock


def head(method: str, path: str, length: int | None = None) -> bytes:
    """A request without its body."""
    body = f"Content-Length: {length}\r\n" if length is not None else ""
    return f"{method} {path} HTTP/1.1\r\nHost: failsafe\r\nConnection: close\r\n{body}\r\n".encode()


def status(data: bytes) -> str:
    """An answer's status."""
    return data[9:12].decode("latin-1") if data else "empty"


def cpu() -> float:
    """Seconds of a processor that this process has had."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(argv: list[str]) -> int:
    """Run one of the two."""
    given = json.loads(argv[2])
    found = asyncio.run(good(**given) if argv[1] == "good" else bad(**given))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
