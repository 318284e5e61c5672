"""A transport that gives the answers of a script and records the requests; knows nothing of Intercom."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from ..plugins import Request, Response

Answer: TypeAlias = "Response | BaseException"
Script: TypeAlias = "Iterable[Answer] | Callable[[Request], Answer]"


class UnexpectedRequest(BaseException):
    """
    The script has no answer for a request.

    It is not an ``Exception``, because the delivery handles every exception of a transport, and many applications wrap analytics in
    ``except Exception``: both would hide it from the test.
    """


class ScriptedTransport:
    """
    A ``plugins.Transport`` that answers from a script.

    Use it with ``delivery="manual"`` or ``"inline"``, where an unexpected request fails the test that caused it.

    Args:
        script: The answers in order (an exception among them is raised), or a function that takes a request and returns its answer.
    """

    def __init__(self, script: Script) -> None:
        self.requests: list[Request] = []
        """All requests so far, unexpected ones included."""
        self._respond = script if callable(script) else None
        self._answers: list[Answer] = [] if callable(script) else list(script)
        self._used = 0

    def send(self, request: Request) -> Response:
        """
        Return the next answer, or raise it if it is an exception.

        Raises:
            UnexpectedRequest: All answers of the script are used.
        """
        self.requests.append(request)
        answer = self._next(request) if self._respond is None else self._respond(request)
        if isinstance(answer, BaseException):
            raise answer
        if not isinstance(answer, Response):
            raise UnexpectedRequest(
                f"the script's answer to {_described(request)} is a {type(answer).__name__}; give a Response or an error"
            )
        return answer

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def assert_finished(self) -> None:
        """
        Check that every answer of the script was used.

        Raises:
            AssertionError: Some answers were not used; the text lists them and the requests.
        """
        __tracebackhide__ = True
        unused = self._answers[self._used :]
        if unused:
            raise AssertionError(
                f"{len(unused)} of {len(self._answers)} answers were not used: {', '.join(map(_short, unused))}\n{self._history()}"
            )

    def _next(self, request: Request) -> Answer:
        if self._used == len(self._answers):
            raise UnexpectedRequest(
                f"request {len(self.requests)} is beyond the script of {len(self._answers)} answers: {_described(request)}\n"
                f"{self._history()}\nadd an answer, or give a function instead of a list"
            )
        self._used += 1
        return self._answers[self._used - 1]

    def _history(self) -> str:
        answers = [*map(_short, self._answers[: self._used]), *["no answer"] * len(self.requests)]
        lines = [
            f"  {number} {request.method} {request.path} -> {answer}"
            for number, (request, answer) in enumerate(zip(self.requests, answers, strict=False), start=1)
        ]
        return "\n".join(["requests so far:", *lines]) if lines else "no request came"


def _described(request: Request) -> str:
    return f"{request.method} {request.path} with the body {request.body!r}"


def _short(answer: Answer) -> str:
    return str(answer.status) if isinstance(answer, Response) else type(answer).__name__
