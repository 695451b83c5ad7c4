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
        default="",
        help="the folder that keeps the stand-in's data; without one they stay in memory",
    )

    @property
    def service(self) -> str:
        """The address to ask."""
        return self.api_url or f"http://127.0.0.1:{self.standin_port}"


SERIAL = 1
SECRETS = crypto.Secrets(
    format=1,
    project="example",
    required=("LINES_API_KEY", "MOOD_API_KEY"),
    environments={
        "demo": crypto.Environment(
            public_key="lugpub1.fH4HAQgVFYOWnO7GHx03g4ODXcvh9R1Q0MP9-D4sMg9fTkZn",
            epoch=1,
            values={
                "LINES_API_KEY": "lug1.MFjw0C0I630.2469JZcYHHzPz3saQQPTOLmiLZU_vPD3eRZ41l9quXBkjPegsqDcti4XyCGPpUsS1O9MYAPeGR84TZD_mxhIO822YUAQ3tQ4NEZhJT6glhhtDu4BQe8rk405wJB_kVLw-THtq3HG0FT90HprIfOezzh86pR_JMM_1QdxLb6EovaWBS-GZFchOX3Is4cZruG_9nTIm7R4TtpdP7WbCdtzufx30U4UUPMOhvOTcyb4DPE",
                "MOOD_API_KEY": "lug1.MFjw0C0I630.FbPSkcO8GKji1X0TGxEBBIlmtP3SWw24j4FoUFVZNnxtJcAS6iqnT9l8rIyXk2ivWg0mZGu_0DXr2uotnN3RRpjq5Q0kgKgCoRzTHKTxjTIoVguqYMxvY4zmE9TvF37s9d4NsiwmE2FwRslZ6wi8DPgNQHxWO45BHQgaSwDgADd7aZ79v3iUiKvn_RobMM3mfTVrWQsne-yA43BVoEfaGfAvFzJZwO_gSoddmxSFHV8",
            },
        ),
    },
)
