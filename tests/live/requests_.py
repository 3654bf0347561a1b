"""Requests as nobody's browser would send them, to servers of the tests."""

import http.client
from collections.abc import Mapping


def get(port: int, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, dict, bytes]:
    """Status, headers and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            answer.read(),
        )
    finally:
        connection.close()
