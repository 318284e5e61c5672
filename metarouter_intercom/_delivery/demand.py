"""Says whether one more worker helps (rule W1): asks the buffer whether something waits, and the circuit what holds requests back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .workers import PoolSize, Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plugins import Buffer, Clock, Transport
    from ..settings import Settings
    from .circuit import Circuit
    from .safely import Faults
    from .waiting import StopLatch


class BufferDemand:
    """
    Implements ``workers.Demand``; safe to use from several threads at once.

    Args:
        buffer: Holds the messages.
        circuit: Knows how long requests take, and the rate limit.
        clock: The time.
    """

    def __init__(self, buffer: Buffer, circuit: Circuit, clock: Clock) -> None:
        self._buffer = buffer
        self._circuit = circuit
        self.now = clock.now

    def wants_more(self, busy: int) -> bool:
        """Return whether one more thread beside *busy* ones would send more."""
        return self._circuit.wants_more(busy)

    def wants_fewer(self, busy: int) -> bool:
        """Return whether far fewer than *busy* threads would send as much."""
        return self._circuit.wants_fewer(busy)

    def due_in(self) -> float | None:
        """Return the seconds until something can be claimed, 0.0 or less for now; None when nothing waits."""
        now = self.now()
        due_at = self._buffer.next_due_at(now=now)
        return None if due_at is None else due_at - now


def build_workers(
    settings: Settings,
    work: Callable[[Callable[[], None]], float | None],
    *,
    transport: Transport,
    demand: BufferDemand,
    faults: Faults,
    stop: StopLatch,
) -> Workers:
    """Make the threads that the setting ``workers`` asks for."""
    size = PoolSize(*settings.threads)
    # The caller's own session may keep fewer connections than there may be threads.
    most = getattr(transport, "most_connections", None)
    if most is not None and size.first < size.most:
        size = PoolSize(size.first, max(size.first, min(size.most, most)))
    return Workers(
        work,
        size=size,
        demand=demand,
        interval=settings.flush_interval,
        name=settings.name,
        stop=stop,
        on_fault=faults.add,
        on_fewer=getattr(transport, "keep_connections", lambda number: None),
    )
