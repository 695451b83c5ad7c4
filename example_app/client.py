"""A service's address and an account → objects of its classes, over the Parse REST dialect."""

from __future__ import annotations

import json
import logging
from typing import Any

import urllib3

from example_app.account import Account
from example_app.address import checked

LARGEST = 1 << 20  # bytes of an answer

# The field the service shows to people, by the HTTP status of a refusal.
REFUSALS = {401: "refused the API key", 403: "refused the API key", 404: "has no such class"}


class ServiceError(Exception):
    """The service gave no answer that can be used. The text is plain and safe to show to anyone."""


class Client:
    """Speaks for one account. Safe to share between threads; connects when first asked.

    `timeout` is the longest wait, in seconds, to connect, and then for each part of an answer. A
    GET is tried `attempts` times; a POST as often, but never again once it may have arrived.
    """

    def __init__(
        self, url: str, account: Account, *, timeout: float = 5.0, attempts: int = 3
    ) -> None:
        try:
            self._url = checked(url)
        except ValueError as error:
            raise ValueError(f"the service's address is not {error}") from None
        self._account = account
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
            retries=urllib3.Retry(
                total=attempts - 1,
                # A redirect could carry the key to another host.
                redirect=False,
                status_forcelist=(429, 502, 503, 504),
                backoff_factor=0.2,
                backoff_max=2.0,
                retry_after_max=1,
                raise_on_redirect=False,
                raise_on_status=False,
            ),
        )
        # Whoever asked tells a failure, once.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

    def __repr__(self) -> str:
        return f"Client({self._url!r}, {self._account!r})"

    def newest(self, kind: str, limit: int) -> list[dict[str, Any]]:
        """The objects of class `kind`, newest first, at most `limit`; raises ServiceError."""
        answer = self._ask("GET", kind, fields={"order": "-createdAt", "limit": str(limit)})
        results = answer.get("results")
        if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
            raise ServiceError("the service gave an answer that makes no sense")
        return results[:limit]

    def add(self, kind: str, values: dict[str, str]) -> str:
        """Add an object to class `kind` and return its id; raises ServiceError.

        After an error it may be there all the same: the answer can be lost on its way.
        """
        answer = self._ask("POST", kind, json=values)
        if not isinstance(answer.get("objectId"), str):
            raise ServiceError("the service gave an answer that makes no sense")
        return str(answer["objectId"])

    def _ask(self, method: str, kind: str, **content: Any) -> dict[str, Any]:
        headers = {
            "Accept": "application/json",
            "X-Parse-Application-Id": self._account.application_id,
            "X-Parse-REST-API-Key": self._account.api_key,
        }
        if "json" in content:
            headers["Content-Type"] = "application/json"
        try:
            response = self._pool.request(
                method,
                f"{self._url}/classes/{kind}",
                headers=headers,
                preload_content=False,
                **content,
            )
            try:
                body = response.read(LARGEST + 1)
            finally:
                # Read to its end, the connection is back in the pool already; else it is of no use.
                response.close()
        except urllib3.exceptions.HTTPError as error:
            raise ServiceError(_plain(error)) from None
        return _understood(response.status, body)


def _understood(status: int, body: bytes) -> dict[str, Any]:
    if not 200 <= status < 300:
        raise ServiceError(f"the service {REFUSALS.get(status, 'could not answer')} ({status})")
    if len(body) > LARGEST:
        raise ServiceError("the service gave an answer that is too large")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise ServiceError("the service gave an answer that makes no sense")
    return answer


def _plain(error: urllib3.exceptions.HTTPError) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return "the service's host name is not known"
    if isinstance(reason, urllib3.exceptions.SSLError):
        return "the service's certificate cannot be trusted"
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return "the service cannot be reached"
    if isinstance(reason, urllib3.exceptions.TimeoutError):
        return "the service did not answer in time"
    return "the service broke off the connection"
