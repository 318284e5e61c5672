"""
Takes the pictures of the documentation: ``python -m tests.end_to_end.browser.screenshots`` writes ``docs/images/*.png``.

They show the sample people and the demo's captured messages, sent through the client into a sandbox, and three requests that
Intercom refuses.
"""

from __future__ import annotations

import base64
import json
import tempfile
from importlib.resources import files
from pathlib import Path

from metarouter_intercom import Client
from metarouter_intercom.plugins import Request
from metarouter_intercom.sandbox import Sandbox
from metarouter_intercom.sandbox.samples import add_samples

from .chromium import browser, missing, prefer, resize

IMAGES = Path(__file__).parents[3] / "docs" / "images"
WIDE, NARROW = 1180, 360
# name, page, colours, width, height
PICTURES = (
    ("people-light", "/ui/people", "light", WIDE, 680),
    ("people-dark", "/ui/people", "dark", WIDE, 680),
    ("person-light", "/ui/people/u-1", "light", WIDE, 760),
    ("person-dark", "/ui/people/u-1", "dark", WIDE, 760),
    ("person-narrow", "/ui/people/u-1", "light", NARROW, 760),
    ("companies-light", "/ui/companies", "light", WIDE, 680),
    ("companies-dark", "/ui/companies", "dark", WIDE, 680),
    ("requests-light", "/ui/requests", "light", WIDE, 660),
    ("requests-dark", "/ui/requests", "dark", WIDE, 660),
)


def fill(sandbox: Sandbox) -> None:
    """Fill the sandbox with what the pictures show."""
    add_samples(sandbox.workspace)
    captured = files("metarouter_intercom").joinpath("_cli/demo_messages.jsonl").read_text()
    with Client(
        api_key=sandbox.token, base_url=sandbox.url, name="screenshots", workers=1, missing_contact_wait=1.0
    ) as client:
        for line in captured.splitlines():
            client.send(json.loads(line))
        client.flush(30)
    for wrong in ({"external_id": "u-1"}, {"external_id": "u-9", "custom_attributes": {"shoe_size": 42}}):
        sandbox.workspace.handle(Request("POST", "/contacts", wrong))
    sandbox.workspace.handle(Request("PUT", "/companies/0", {"plan": "pro"}))


def main() -> None:
    """Take every picture."""
    reason = missing()
    if reason is not None:
        raise SystemExit(reason)
    IMAGES.mkdir(exist_ok=True)
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as driver:
        fill(sandbox)
        for name, page, colours, width, height in PICTURES:
            resize(driver, width, height)
            prefer(driver, colours, reduced_motion=True)
            driver.get(sandbox.url + page)
            picture = driver.execute_cdp_cmd(
                "Page.captureScreenshot", {"format": "png", "optimizeForSpeed": False}
            )
            (IMAGES / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))


if __name__ == "__main__":
    main()
