"""The example's configuration: public values, and sealed ones. Importing it opens nothing."""

from __future__ import annotations

import environ

from example_app.address import checked
from luggage import crypto
from luggage.run import settings

LINES_ACCOUNT = "example-lines"
MOOD_ACCOUNT = "example-mood"


@environ.config(prefix="", frozen=True)
class App:
    """Where the service is, and what its stand-in needs."""

    api_url: str = environ.var(
        default="",
        converter=lambda url: checked(url) if url else "",
        help="the service's address; without one a stand-in is started",
    )
    standin_port: int = environ.var(
        default=8001,
        converter=settings.whole(1, 65535),
        help="the port, on 127.0.0.1, of the stand-in",
    )
    data_dir: str = environ.var(
        default="", help="the folder that keeps the stand-in's data; without one they go at the end"
    )

    @property
    def service(self) -> str:
        """The address to ask."""
        return self.api_url or f"http://127.0.0.1:{self.standin_port}"


SECRETS = crypto.Secrets(
    format=1,
    project="example",
    required=("LINES_API_KEY", "MOOD_API_KEY"),
    environments={},
)
