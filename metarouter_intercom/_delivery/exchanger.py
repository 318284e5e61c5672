"""Sends one request when it may go, and tells the circuit of its answer (rules T1, T4, T6, W2); knows no operations and no messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from .._intercom.foreign_answers import is_foreign
from ..errors import ConnectFailed, ReadFailed, TransportError
from .circuit import Paused
from .recording import answered, unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..plugins import Clock, Request, Response, SentRequest, Transport
    from .circuit import Circuit

# How often a request that got a 429 is sent again before its messages go back to the buffer.
_RATE_REPEATS = 5
FOREIGN = "foreign_answer"


class _ForeignAnswer(ReadFailed):
    """Somebody else answered, for example a proxy. Intercom may have applied the request before that (rule T6)."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = response.headers
        super().__init__("the answer is not Intercom's")


class Exchanger:
    """
    Sends the requests of all flows; safe to use from several threads at once.

    Args:
        transport: Turns a request into a response.
        circuit: Decides when a request may go out.
        clock: The time.
        pause: Lets seconds pass before a request; raises ``Paused`` when the client closes.
        request_limit: Returns the seconds that a request may last, or None; raises ``Paused`` when none may begin.
        on_foreign: Receives each answer that is not Intercom's.
    """

    def __init__(
        self,
        transport: Transport,
        circuit: Circuit,
        clock: Clock,
        *,
        pause: Callable[[float], None],
        request_limit: Callable[[], float | None],
        on_foreign: Callable[[Response], None],
    ) -> None:
        self._transport = transport
        self._circuit = circuit
        self._clock = clock
        self._pause = pause
        self._request_limit = request_limit
        self._on_foreign = on_foreign

    def exchange(
        self,
        request: Request,
        *,
        probe: bool = False,
        is_ours: Callable[[], bool] | None = None,
        is_foreign: Callable[[Request, Response], bool] = is_foreign,
        sent: list[SentRequest] | None = None,
    ) -> Response:
        """
        Send one request when the circuit allows it, and again while the rate limit refuses it; note each time in *sent*.

        Raises:
            Paused: The circuit is tripped or held, the lease of the messages is lost, or there is no time left for a request.
            TransportError: There is no answer of Intercom's.
        """
        repeats = 0
        while True:
            limit = self._wait_for_turn(probe, is_ours)
            begun = self._clock.now()
            try:
                response = self._transport.send(request if limit is None else evolve(request, timeout=limit))
                if is_foreign(request, response):
                    self._on_foreign(response)
                    raise _ForeignAnswer(response)
            except TransportError as error:
                now = self._clock.now()
                if limit is not None and now >= begun + limit:
                    # Our own time limit cut the request, which says nothing about Intercom.
                    self._circuit.ended(now)
                else:
                    self._circuit.unanswered(reason_of(error), now, _headers(error))
                if sent is not None:
                    sent.append(unanswered(request, reason_of(error), status_of(error), now - begun))
                raise
            except BaseException:
                # Raised by a replaced transport, or from outside (Ctrl-C): it says nothing about Intercom.
                self._circuit.ended(self._clock.now())
                raise
            now = self._clock.now()
            self._circuit.answered(response, now)
            if sent is not None:
                sent.append(answered(request, response, now - begun))
            if response.status != 429 or repeats >= _RATE_REPEATS:
                return response
            repeats += 1

    def _wait_for_turn(self, probe: bool, is_ours: Callable[[], bool] | None) -> float | None:
        """Wait until a request may begin; return the seconds that it may last, or None."""
        while True:
            if is_ours is not None and not is_ours():
                raise Paused("lease")
            # Before the circuit is asked, because its answer 0 reserves a part of the rate budget.
            limit = self._request_limit()
            seconds = self._circuit.wait_before_send(self._clock.now(), probe=probe)
            if seconds <= 0:
                return limit
            self._pause(seconds)


def reason_of(error: TransportError) -> str:
    """Return the reason of a request without an answer of Intercom's."""
    if isinstance(error, _ForeignAnswer):
        return FOREIGN
    return "connect_failed" if isinstance(error, ConnectFailed) else "read_failed"


def _headers(error: TransportError) -> Mapping[str, str] | None:
    return error.headers if isinstance(error, _ForeignAnswer) else None


def status_of(error: TransportError) -> int | None:
    """Return the status of an answer that is not Intercom's; None if there was none."""
    return error.status if isinstance(error, _ForeignAnswer) else None
