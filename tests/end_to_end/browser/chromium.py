"""A headless Chromium that reaches the sandbox only, and short ways to control it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

TIMEOUT = 10.0
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    # No name except those of loopback can be looked up, so that no page reaches another host.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def missing() -> str | None:
    """Return why no browser can run; None when one can."""
    chromium, driver = _find()
    if chromium is None:
        return "no Chromium on this machine (Debian: apt-get install chromium)"
    return None if driver else "no chromedriver on this machine (Debian: apt-get install chromium-driver)"


def _find() -> tuple[str | None, str | None]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    return chromium, os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver")


@contextmanager
def browser(profile: Path) -> Iterator[Chrome]:
    """Run a browser with an empty profile."""
    chromium, driver = _find()
    options = ChromeOptions()
    options.binary_location = chromium or ""
    for switch in (*_SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Selenium would close dialogs. "ignore" makes the next command fail, and with it the test.
    options.unhandled_prompt_behavior = "ignore"
    running = Chrome(options=options, service=Service(driver))
    running.set_page_load_timeout(TIMEOUT * 3)
    try:
        yield running
    finally:
        running.quit()


def resize(driver: Chrome, width: int, height: int = 900) -> None:
    """Show pages *width* CSS pixels wide, even when a window cannot be so narrow."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def prefer(driver: Chrome, scheme: str, *, reduced_motion: bool = False) -> None:
    """Make the browser prefer ``light`` or ``dark`` colours, and less motion."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    if reduced_motion:
        features.append({"name": "prefers-reduced-motion", "value": "reduce"})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def until(driver: Chrome, holds: Callable[[], object]) -> None:
    """Wait until *holds* returns something true."""
    WebDriverWait(driver, TIMEOUT, poll_frequency=0.05).until(lambda _: holds())


def find(driver: Chrome, selector: str) -> WebElement:
    """Return the first element that matches the CSS *selector*."""
    return driver.find_element(By.CSS_SELECTOR, selector)


def texts(driver: Chrome, selector: str) -> list[str]:
    """Return the visible text of each matching element; one command reads all, because a page may change between two."""
    shown = driver.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText.trim())", selector
    )
    return [str(text) for text in shown]
