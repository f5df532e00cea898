"""The methods of HTTP that have a name, each as a call of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Unpack

from spry_core.headers import Pairs
from spry_core.testing.content import ContentSettings
from spry_core.testing.response import ClientResponse


class ClientMethods(ABC):
    """Who can send a request with any method can send a GET; all of them go through `request`."""

    @abstractmethod
    def request(
        self, method: str, target: str, *, headers: Pairs = (), **content: Unpack[ContentSettings]
    ) -> ClientResponse:
        """Send one request and return its answer."""

    def get(self, target: str, *, headers: Pairs = ()) -> ClientResponse:
        """Send a GET; see `request`."""
        return self.request("GET", target, headers=headers)

    def head(self, target: str, *, headers: Pairs = ()) -> ClientResponse:
        """Send a HEAD; see `request`."""
        return self.request("HEAD", target, headers=headers)

    def options(self, target: str, *, headers: Pairs = ()) -> ClientResponse:
        """Send an OPTIONS; see `request`."""
        return self.request("OPTIONS", target, headers=headers)

    def delete(self, target: str, *, headers: Pairs = ()) -> ClientResponse:
        """Send a DELETE; see `request`."""
        return self.request("DELETE", target, headers=headers)

    def post(self, target: str, *, headers: Pairs = (), **content: Unpack[ContentSettings]) -> ClientResponse:
        """Send a POST; see `request`."""
        return self.request("POST", target, headers=headers, **content)

    def put(self, target: str, *, headers: Pairs = (), **content: Unpack[ContentSettings]) -> ClientResponse:
        """Send a PUT; see `request`."""
        return self.request("PUT", target, headers=headers, **content)

    def patch(
        self, target: str, *, headers: Pairs = (), **content: Unpack[ContentSettings]
    ) -> ClientResponse:
        """Send a PATCH; see `request`."""
        return self.request("PATCH", target, headers=headers, **content)
