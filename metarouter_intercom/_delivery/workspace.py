"""Finds out, once, which workspace the credentials open, so that a spool delivers to no other one (rule Q7); knows no SQL."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from .._intercom.account import ME, workspace_id
from .._intercom.responses import FlowResult, classify, version_refusal
from ..errors import ConfigurationError, SpoolFailed
from .buffers.capabilities import workspaces_of
from .interrupts import is_interruption
from .report import Health
from .safely import safe_log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .._types import JsonValue
    from ..plugins import Buffer, Claim, Clock, Response
    from ..settings import Settings
    from .buffers.capabilities import WorkspaceRegistry

_log = safe_log
OTHER_WORKSPACE = "other_workspace"
_UNKNOWN = "unknown"


class WorkspaceCheck:
    """
    Asks Intercom before the first delivery of a process; safe to use from several threads.

    Args:
        find: Returns the registry of the buffer: another one after a fork, or when the buffer had to open its file anew.
        settings: The client's.
        clock: The time.
        report: Receives the error for the messages that wait for another workspace.

    Attributes:
        since: When it was found that messages wait for another workspace, in Unix seconds.
    """

    def __init__(
        self,
        find: Callable[[], WorkspaceRegistry],
        settings: Settings,
        *,
        clock: Clock,
        report: Callable[[Exception, Sequence[Mapping[str, JsonValue]]], None],
    ) -> None:
        self._find = find
        self._settings = settings
        self._clock = clock
        self._report = report
        # Reentrant, because a hook that is told may call the client.
        self._lock = threading.RLock()
        self._others: dict[str | None, int] = {}
        # The answer is kept for a file that could not take it, and for one that is opened anew.
        self._is_answered = False
        self._workspace: str | None = None
        self.since: float | None = None

    @property
    def _registry(self) -> WorkspaceRegistry:
        return self._find()

    @property
    def is_known(self) -> bool:
        """Whether Intercom was asked, and said which workspace it is, or that it does not say."""
        return self._find().number is not None

    def ask(self, exchange: Callable[[], Response]) -> FlowResult | None:
        """
        Ask for the workspace if it is not known yet.

        Args:
            exchange: Sends ``GET /me``; may raise what ``Executor.exchange`` raises.

        Returns:
            None when it is known now; else why nothing may be delivered yet: ``retry`` or ``held``.
        """
        with self._lock:
            if self.is_known:
                return None
            if not self._is_answered:
                response = exchange()
                result = version_refusal(response) or classify(ME, response)
                if result.kind == "held" and response.status == 401:
                    with contextlib.suppress(SpoolFailed):  # it is asked again, and then refused again
                        self._registry.refuse()
                if result.kind in ("held", "retry"):
                    return result
                # A token without the scope for /me gets a 403: its messages must not wait for ever, so it is a workspace of its own.
                self._is_answered, self._workspace = True, workspace_id(response)
            # When the file fails, the buffer reports it; what only this process has goes out meanwhile.
            with contextlib.suppress(SpoolFailed):
                self._learn(self._workspace)
            return None

    def learn(self, workspace: str) -> None:
        """Note the workspace that an answer to another request named."""
        with self._lock:
            self._is_answered, self._workspace = True, workspace
            if not self.is_known:
                with contextlib.suppress(SpoolFailed):
                    self._learn(workspace)

    def _learn(self, workspace: str | None) -> None:
        identified = self._registry.identify(workspace, adopt=self._settings.adopt_spool)
        waiting = self._refresh()
        if not waiting and identified.before is None:
            return
        connection = self._settings.name
        others = self._names() if waiting else identified.before
        _log.warning(
            "connection %s: the spool was used for workspace %s, and this key opens workspace %s: what was remembered starts afresh, "
            "and %d messages wait for the other one",
            connection,
            others,
            workspace or _UNKNOWN,
            waiting,
            extra={
                "connection": connection,
                "other": others,
                "workspace": workspace or _UNKNOWN,
                "waiting": waiting,
            },
        )
        if waiting:
            self._report(self._error(), ())

    def health(self) -> Health:
        """Return whether messages wait for another workspace."""
        # A signal handler must not wait for the file, which the interrupted call may have locked.
        waiting = self.last_waiting() if is_interruption() else self.waiting()
        return Health("held", OTHER_WORKSPACE, self.since) if waiting else Health("ok")

    def waiting(self) -> int:
        """Count the messages that wait for other workspaces; asks the file only if there were some at the last look."""
        return self._refresh() if self._others else 0

    def last_waiting(self) -> int:
        """Return the number of the last look, without asking the file."""
        return sum(self._others.values())

    def error(self) -> ConfigurationError | None:
        """Return the error that names both workspaces, if messages wait for another one."""
        return self._error() if self.is_known and self._refresh() else None

    def owns(self, claim: Claim) -> bool:
        """Return whether the messages of a claim are for the client's workspace; those that only this process has always are."""
        if claim.lane < 0:
            return True
        try:
            return self._registry.owns(claim.lane)
        except SpoolFailed:
            return False

    def refusal_of(self, letter: int) -> ConfigurationError | None:
        """Return why a dead letter must not be sent to the client's workspace; None if it may."""
        if self._settings.adopt_spool:
            return None
        is_ours, workspace = self._registry.owner_of_letter(letter)
        if is_ours:
            return None
        return other_workspace(f"dead letter {letter} is", workspace or _UNKNOWN, self._registry.id())

    def _refresh(self) -> int:
        try:
            self._others = self._registry.waiting()
        except SpoolFailed:
            return self.last_waiting()  # the buffer reports the fault itself
        count = self.last_waiting()
        self.since = (self.since or self._clock.now()) if count else None
        return count

    def _names(self) -> str:
        return ", ".join(sorted(workspace or _UNKNOWN for workspace in self._others))

    def _error(self) -> ConfigurationError:
        return other_workspace(f"{self.last_waiting()} messages wait", self._names(), self._registry.id())


def workspace_check(
    buffer: Buffer,
    settings: Settings,
    *,
    clock: Clock,
    report: Callable[[Exception, Sequence[Mapping[str, JsonValue]]], None],
) -> WorkspaceCheck | None:
    """Return the check for *buffer*; None if only this process has its messages, so that no request is needed."""
    find = workspaces_of(buffer)
    return None if find is None else WorkspaceCheck(find, settings, clock=clock, report=report)


def other_workspace(subject: str, other: str, workspace: str | None) -> ConfigurationError:
    """Return the error for what was accepted for the workspace *other* and would go to *workspace* now."""
    return ConfigurationError(
        f"spool: {subject} for workspace {other}, and this key opens workspace {workspace or _UNKNOWN} ({OTHER_WORKSPACE}); "
        "use the key of the former, or another spool, or set adopt_spool=True to send them to the latter"
    )
