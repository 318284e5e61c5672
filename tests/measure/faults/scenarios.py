"""What goes wrong: each scenario as data, and how one is run with one client."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .judging import Findings, judge_intercom, judge_receiver
from .processes import Application, FarEnd, let_pass

CONTACTS = 50
# Far above what a run sends: the rate limit has a scenario of its own.
PLENTY = {"app_limit": 1_000_000, "workspace_limit": 1_000_000, "log_limit": 100_000}
# After so many seconds an application that should end by itself counts as hanging.
PATIENCE = 60.0


class Scenario(NamedTuple):
    """
    One kind of trouble.

    Attributes:
        title: For the table.
        end: How the application ends; see ``host.py``.
        faults: Put in place before the application starts.
        refused_for: Seconds in which connections are refused, from the start on.
        settings: Of our client, beyond the defaults.
        forks: Children that a preloading server makes.
        used: The parent uses the client before it forks.
        signal: Sent once everything was accepted.
        lives: The process lives until everything can be delivered, so memory must lose nothing either.
    """

    title: str
    end: str = "close"
    faults: Mapping[str, Any] = {}
    refused_for: float = 0.0
    settings: Mapping[str, Any] = {}
    forks: int = 0
    used: bool = False
    signal: int | None = None
    lives: bool = True


SCENARIOS = {
    "errors_500": Scenario("500 for 3 s", faults={"outage": 500, "outage_for": 3.0}),
    "rate_429": Scenario("429 with a reset header for 3 s", faults={"outage": 429, "outage_for": 3.0}),
    "refused": Scenario("connection refused for 5 s", refused_for=5.0),
    "hang": Scenario(
        "requests hang for 30 s, those of the first 5 s",
        faults={"outage": "hang", "outage_for": 5.0, "hang_seconds": 30.0},
    ),
    "held_401": Scenario(
        "401 for 10 s", faults={"outage": 401, "outage_for": 10.0}, settings={"auth_probe": 2.0}
    ),
    "lost_answer": Scenario("answer lost after it was applied (5 %)", faults={"lost": 0.05}),
    "truncated": Scenario("answer broken off (5 %)", faults={"truncated": 0.05}),
    "malformed": Scenario("answer that is no JSON (5 %)", faults={"malformed": 0.05}),
    "html_502": Scenario("a proxy's HTML page, 502 (5 %)", faults={"html": 0.05}),
    "killed": Scenario("kill -9 when the last call returned", end="wait", signal=signal.SIGKILL, lives=False),
    "sigterm": Scenario("SIGTERM, no handler", end="wait", signal=signal.SIGTERM, lives=False),
    "sigterm_handled": Scenario(
        "SIGTERM, the host's handler calls sys.exit", end="handler", signal=signal.SIGTERM
    ),
    "exit": Scenario("normal exit without a flush", end="exit"),
    "exit_1": Scenario("sys.exit(1)", end="exit1"),
    "fork_before": Scenario("fork before the first use, flush in the child", end="flush", forks=2),
    "fork_after": Scenario("fork after the first use, flush in the child", end="flush", forks=2, used=True),
}


class Contender(NamedTuple):
    """
    A client with the way it keeps messages.

    Attributes:
        client: The name that ``host.py`` knows it by.
        title: For the table.
        spooled: Keeps messages in a file.
        interpreter: Which Python has it installed.
    """

    client: str
    title: str
    spooled: bool = False
    interpreter: str = sys.executable


OURS = (
    Contender("metarouter", "metarouter-intercom, spool", spooled=True),
    Contender("metarouter", "metarouter-intercom, memory"),
)


class Outcome(NamedTuple):
    """
    What one run showed.

    Attributes:
        findings: Lost, repeated, doubled.
        hung: The application did not end by itself.
        counted: Messages that the library itself said are lost.
        logs: What the library logged.
        report: Our client's own report, where the application lived to tell it.
    """

    findings: Findings
    hung: bool
    counted: int
    logs: tuple[str, ...]
    report: Mapping[str, Any] | None


def run(scenario, contender, *, messages, patience=PATIENCE):
    """
    Run *scenario* with *contender* and *messages* messages; returns an ``Outcome``.

    With a spool, what the application left there is delivered by one more process afterwards, as after a restart.
    """
    is_ours = contender.client == "metarouter"
    with (
        tempfile.TemporaryDirectory() as folder,
        FarEnd("intercom" if is_ours else "receiver", **(PLENTY if is_ours else {})) as far_end,
    ):
        plan = _plan(scenario, contender, far_end.address, Path(folder), messages)
        if scenario.faults:
            far_end.faults(**scenario.faults)
        told = _act(scenario, contender, plan, far_end, patience)
        accepted, cut_off = dict(told.accepted), dict(told.cut_off)
        if contender.spooled:
            far_end.faults()
            drain(contender.interpreter, plan)
        shown = far_end.show()
    findings = (
        judge_intercom(shown, accepted, cut_off, CONTACTS, scenario.forks > 0)
        if is_ours
        else judge_receiver(shown, accepted)
    )
    return Outcome(findings, told.exit_code is None, told.counted, tuple(told.logs), told.report)


def _plan(scenario, contender, address, folder, messages):
    settings = {}
    if contender.client == "metarouter":
        settings = dict(scenario.settings)
    if contender.spooled:
        settings["spool"] = str(folder / "spool.db")
    return {
        "client": contender.client,
        "address": address,
        "settings": settings,
        "first": 0,
        "count": messages // max(1, scenario.forks),
        "contacts": CONTACTS,
        "forks": scenario.forks,
        "used": scenario.used,
        "end": scenario.end,
    }


def _act(scenario, contender, plan, far_end, patience):
    if scenario.refused_for:
        far_end.tell("close")
    application = Application(contender.interpreter, plan)
    if scenario.refused_for:
        application.wait_for("calling")
        let_pass(scenario.refused_for)
        far_end.tell("start")
    if scenario.signal is not None:
        application.wait_for("waiting")
        application.signal(scenario.signal)
    return application.end(patience)


def drain(interpreter, plan):
    """Let one more process deliver what is in the spool."""
    rest = Application(interpreter, plan | {"count": 0, "forks": 0, "end": "close"})
    return rest.end(PATIENCE)
