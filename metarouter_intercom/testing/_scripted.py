"""A transport that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from ..plugins import Request, Response

Answer: TypeAlias = "Response | BaseException"
Script: TypeAlias = "Iterable[Answer] | Callable[[Request], Answer]"


class UnexpectedRequest(BaseException):
    """
    The script has no answer to a request.

    Not an ``Exception``: the delivery keeps going whatever a transport raises, and an ``except Exception`` around analytics is usual,
    so either would swallow it.
    """


class ScriptedTransport:
    """
    Implements ``plugins.Transport`` from a script.

    Made for ``delivery="manual"`` and ``"inline"``, where an unexpected request fails the test that made it.

    Args:
        script: Answers in the order in which they are given (errors among them are raised), or a function that is asked for the
            answer to each request.
    """

    def __init__(self, script: Script) -> None:
        self.requests: list[Request] = []
        """Every request so far, unexpected ones included."""
        self._ask = script if callable(script) else None
        self._answers: list[Answer] = [] if callable(script) else list(script)
        self._used = 0

    def send(self, request: Request) -> Response:
        """
        Return the next answer, or raise it.

        Raises:
            UnexpectedRequest: The script is at its end.
        """
        self.requests.append(request)
        answer = self._next(request) if self._ask is None else self._ask(request)
        if isinstance(answer, BaseException):
            raise answer
        if not isinstance(answer, Response):
            raise UnexpectedRequest(
                f"the script's answer to {_words(request)} is a {type(answer).__name__}; give a Response or an error"
            )
        return answer

    def close(self) -> None:
        """Nothing is held; there is nothing to release."""

    def assert_finished(self) -> None:
        """
        Make sure that every answer of the script was used.

        Raises:
            AssertionError: Some are left; names them with the requests that came.
        """
        __tracebackhide__ = True
        left = self._answers[self._used :]
        if left:
            raise AssertionError(
                f"{len(left)} of {len(self._answers)} answers were not used: {', '.join(map(_short, left))}\n{self._history()}"
            )

    def _next(self, request: Request) -> Answer:
        if self._used == len(self._answers):
            raise UnexpectedRequest(
                f"request {len(self.requests)} is beyond the script of {len(self._answers)} answers: {_words(request)}\n"
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


def _words(request: Request) -> str:
    return f"{request.method} {request.path} with the body {request.body!r}"


def _short(answer: Answer) -> str:
    return str(answer.status) if isinstance(answer, Response) else type(answer).__name__
