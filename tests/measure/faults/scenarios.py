"""The scenarios, and how one is run with one library."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .judging import Findings, judge_intercom, judge_receiver
from .processes import Application, ServerProcess, wait

CONTACTS = 50
# Limits that no run reaches, because the rate limit has its own scenario.
NO_LIMITS = {"app_limit": 1_000_000, "workspace_limit": 1_000_000, "log_limit": 100_000}
# An application that has not ended after so many seconds counts as hanging.
END_TIMEOUT = 60.0


class Scenario(NamedTuple):
    """
    One fault, or one way to end.

    Attributes:
        title: Its name in the table.
        end: How the application ends; see ``application.py``.
        faults: Faults of the server from the start.
        refused_for: For how many seconds connections are refused, from the start.
        settings: Settings of our client that differ from the defaults.
        forks: Number of forked child processes.
        used: The parent uses the client before it forks.
        signal: Signal that is sent when everything was accepted.
        lives: The process lives until everything can be delivered, so a client without a spool must lose nothing either.
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
        "requests of the first 5 s hang for 30 s",
        faults={"outage": "hang", "outage_for": 5.0, "hang_seconds": 30.0},
    ),
    "held_401": Scenario(
        "401 for 10 s", faults={"outage": 401, "outage_for": 10.0}, settings={"auth_probe": 2.0}
    ),
    "lost_answer": Scenario("answer lost after it was applied (5 %)", faults={"lost": 0.05}),
    "truncated": Scenario("answer cut off (5 %)", faults={"truncated": 0.05}),
    "malformed": Scenario("answer that is not JSON (5 %)", faults={"malformed": 0.05}),
    "html_502": Scenario("a proxy's HTML page, 502 (5 %)", faults={"html": 0.05}),
    "killed": Scenario(
        "kill -9 after the last call returned", end="wait", signal=signal.SIGKILL, lives=False
    ),
    "sigterm": Scenario("SIGTERM, no handler", end="wait", signal=signal.SIGTERM, lives=False),
    "sigterm_handled": Scenario(
        "SIGTERM, the application's handler calls sys.exit", end="handler", signal=signal.SIGTERM
    ),
    "exit": Scenario("normal exit without a flush", end="exit"),
    "exit_1": Scenario("sys.exit(1)", end="exit1"),
    "fork_before": Scenario("fork before the first use, flush in the child", end="flush", forks=2),
    "fork_after": Scenario("fork after the first use, flush in the child", end="flush", forks=2, used=True),
}


class Library(NamedTuple):
    """
    A library, and how it buffers messages.

    Attributes:
        client: Its name in ``application.py``.
        title: Its name in the table.
        spooled: It buffers messages in a file.
        interpreter: Python interpreter that has it installed.
    """

    client: str
    title: str
    spooled: bool = False
    interpreter: str = sys.executable


OURS = (
    Library("metarouter", "metarouter-intercom, spool", spooled=True),
    Library("metarouter", "metarouter-intercom, memory"),
)


class Outcome(NamedTuple):
    """
    The result of one run.

    Attributes:
        findings: Lost, repeated and doubled messages.
        hung: The application did not end.
        counted: How many messages the library reported as lost.
        logs: What the library logged.
        report: The report of our client; None if the application did not live to write it.
    """

    findings: Findings
    hung: bool
    counted: int
    logs: tuple[str, ...]
    report: Mapping[str, Any] | None


def run(scenario, library, *, messages, end_timeout=END_TIMEOUT):
    """
    Run *scenario* with *library* and *messages* messages; return an ``Outcome``.

    With a spool, another process delivers what the application left in it, as after a restart.
    """
    is_ours = library.client == "metarouter"
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess("intercom" if is_ours else "receiver", **(NO_LIMITS if is_ours else {})) as server,
    ):
        plan = _plan(scenario, library, address=server.address, folder=Path(folder), messages=messages)
        if scenario.faults:
            server.set_faults(**scenario.faults)
        output = _run_application(scenario, library.interpreter, plan, server=server, end_timeout=end_timeout)
        if library.spooled:
            server.set_faults()
            deliver_rest(library.interpreter, plan)
        state = server.state()
    findings = (
        judge_intercom(state, output.accepted, output.cut_off, contacts=CONTACTS, is_apart=scenario.forks > 0)
        if is_ours
        else judge_receiver(state, output.accepted)
    )
    return Outcome(findings, output.exit_code is None, output.counted, tuple(output.logs), output.report)


def _plan(scenario, library, *, address, folder, messages):
    settings = {}
    if library.client == "metarouter":
        settings = dict(scenario.settings)
    if library.spooled:
        settings["spool"] = str(folder / "spool.db")
    return {
        "client": library.client,
        "address": address,
        "settings": settings,
        "first": 0,
        "count": messages // max(1, scenario.forks),
        "contacts": CONTACTS,
        "forks": scenario.forks,
        "used": scenario.used,
        "end": scenario.end,
    }


def _run_application(scenario, interpreter, plan, *, server, end_timeout):
    if scenario.refused_for:
        server.command("close")
    application = Application(interpreter, plan)
    if scenario.refused_for:
        application.wait_for("calling")
        wait(scenario.refused_for)
        server.command("start")
    if scenario.signal is not None:
        application.wait_for("waiting")
        application.signal(scenario.signal)
    return application.end(end_timeout)


def deliver_rest(interpreter, plan):
    """Let another process deliver what is in the spool."""
    application = Application(interpreter, plan | {"count": 0, "forks": 0, "end": "close"})
    return application.end(END_TIMEOUT)
