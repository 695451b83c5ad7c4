"""A port → when each good request was due and what became of it, a line each, until stdin closes.

Open-loop: a request is sent whenever one is due, whatever became of those before. It is a program
of its own, so that it takes no time of whoever measures.

    visitor.py PORT SECONDS_BETWEEN PATIENCE

A line is `DUE SENT ENDED WORD`: three times on CLOCK_MONOTONIC, and `200` or what was wrong.
"""

from __future__ import annotations

import asyncio
import sys
import time

HOST = "127.0.0.1"
REQUEST = b"GET / HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n"


async def visit(port: int, step: float, patience: float) -> None:
    """Ask until nobody wants to know."""
    loop = asyncio.get_running_loop()
    over = loop.run_in_executor(None, sys.stdin.read)
    due = time.monotonic()
    async with asyncio.TaskGroup() as group:
        while not over.done():
            due += step
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(one(port, due, patience))


async def one(port: int, due: float, patience: float) -> None:
    """One request, on a connection of its own."""
    sent = time.monotonic()
    try:
        async with asyncio.timeout(patience):
            word = await get(port)
    except TimeoutError:
        word = "timeout"
    except OSError as error:
        word = type(error).__name__
    print(f"{due:.4f} {sent:.4f} {time.monotonic():.4f} {word}", flush=True)


async def get(port: int) -> str:
    """The status, where all of the answer came."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(REQUEST)
        answer = await reader.read()
    finally:
        writer.transport.abort()
    return answer[9:12].decode("latin-1") if answer.endswith(b"\n") else "no-answer"


if __name__ == "__main__":
    asyncio.run(visit(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
