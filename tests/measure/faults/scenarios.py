"""The scenarios, and how one is run with one library."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .judging import Findings, judge_intercom, judge_receiver
from .processes import Application, ServerProcess, wait
from .troubles import TROUBLES, Trouble

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
        trouble: What happens to the machine around it; see ``troubles.py``.
        spool_only: It concerns only a client with a spool.
        ours_only: It concerns only our client.
        patched: gevent replaces the threads after the client was made.
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
    trouble: str | None = None
    spool_only: bool = False
    ours_only: bool = False
    patched: bool = False

    def concerns(self, library):
        """Return whether the scenario says something about *library*."""
        if library.client != "metarouter":
            return not (self.spool_only or self.ours_only)
        return library.spooled or not self.spool_only


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
    "slow_close": Scenario(
        "answers take 250 ms, close() without a flush", end="only_close", faults={"latency": 0.25}
    ),
    "hanging_close": Scenario(
        "requests hang for 60 s, close() without a flush",
        end="only_close",
        faults={"outage": "hang", "outage_for": 60.0, "hang_seconds": 60.0},
    ),
    "stranger_200": Scenario(
        'another server answers 200 {"status": "ok"} for 3 s',
        faults={"outage": "stranger", "outage_for": 3.0},
    ),
    "proxy_407": Scenario(
        "a proxy's page, 407, for 3 s", faults={"outage": {"kind": "html", "status": 407}, "outage_for": 3.0}
    ),
    "proxy_413": Scenario(
        "a proxy's page, 413 (5 %)", faults={"script": [None] * 19 + [{"kind": "html", "status": 413}]}
    ),
    "clock_back": Scenario(
        "503 for 3 s, and the clock goes back one hour",
        faults={"outage": 503, "outage_for": 3.0},
        trouble="clock_back",
    ),
    "clock_forward": Scenario(
        "503 for 3 s, and the clock goes forward three hours",
        faults={"outage": 503, "outage_for": 3.0},
        trouble="clock_forward",
    ),
    "clock_frozen": Scenario(
        "503 for 3 s, and the clock stands still",
        faults={"outage": 503, "outage_for": 3.0},
        trouble="clock_frozen",
    ),
    "hook_exits": Scenario(
        "an after-hook raises SystemExit every time", settings={"hook_exits": True}, ours_only=True
    ),
    "gevent_late": Scenario("gevent patches the threads after the client was made", patched=True),
    "journals_removed": Scenario(
        "503 for 3 s, and the spool's journals are removed",
        faults={"outage": 503, "outage_for": 3.0},
        trouble="journals_removed",
        spool_only=True,
    ),
    "folder_moved": Scenario(
        "503 for 3 s, and the spool's folder is moved away",
        faults={"outage": 503, "outage_for": 3.0},
        trouble="folder_moved",
        spool_only=True,
    ),
    "locked": Scenario("another program locks the spool for 10 s", trouble="locked", spool_only=True),
    "small_volume": Scenario(
        "503 for 3 s, and the spool fills its volume",
        faults={"outage": 503, "outage_for": 3.0},
        trouble="small_volume",
        spool_only=True,
    ),
    "linked": Scenario(
        "kill -9, and the next process knows the spool by another name",
        end="wait",
        signal=signal.SIGKILL,
        trouble="linked",
        lives=False,
        spool_only=True,
    ),
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
        with _trouble(scenario, plan, Path(folder)) as trouble:
            if scenario.faults:
                server.set_faults(**scenario.faults)
            run_one = _Run(scenario, library.interpreter, plan, server, trouble, end_timeout)
            output = run_one.application()
            if library.spooled:
                server.set_faults()
                plan["settings"]["spool"] = plan.pop("rest", plan["settings"]["spool"])
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
        "patched": scenario.patched,
        "end": scenario.end,
    }


def _trouble(scenario, plan, folder):
    return TROUBLES[scenario.trouble](plan, folder) if scenario.trouble else contextlib.nullcontext(Trouble())


class _Run(NamedTuple):
    """What one application needs to run under its scenario."""

    scenario: Scenario
    interpreter: str
    plan: dict
    server: ServerProcess
    trouble: Trouble
    end_timeout: float

    def application(self):
        """Run the application to its end; return its output."""
        scenario = self.scenario
        if scenario.refused_for:
            self.server.command("close")
        application = Application(self.interpreter, self.plan, self.trouble.environment)
        if scenario.refused_for:
            application.wait_for("calling")
            wait(scenario.refused_for)
            self.server.command("start")
        if scenario.trouble:
            application.wait_for_accepted(self.plan["count"] // 2)
            self.trouble.act()
        if scenario.signal is not None:
            application.wait_for("waiting")
            application.signal(scenario.signal)
        return application.end(self.end_timeout)


def deliver_rest(interpreter, plan):
    """Let another process deliver what is in the spool."""
    application = Application(interpreter, plan | {"count": 0, "forks": 0, "end": "close", "patched": False})
    return application.end(END_TIMEOUT)
