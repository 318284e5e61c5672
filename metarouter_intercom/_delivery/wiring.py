"""Makes the parts of a client's engine and wires them together: at first, in a forked child, and when threading was replaced."""

from __future__ import annotations

import os
import random
import threading
from typing import TYPE_CHECKING

from .._intercom.event_seconds import MemorySeconds
from .._intercom.workspace_cache import WorkspaceCache
from ..messages._message_ids import own_message_ids
from .buffers.capabilities import seconds_store_of, store_of
from .circuit import Circuit
from .consumer import Consumer, weak_work
from .deadlines import Deadlines
from .demand import BufferDemand, build_workers
from .engine import Engine
from .executor import Executor
from .flushing import Flushing
from .leases import LeaseKeeper
from .outcomes import Outcomes
from .rate_limit import RateLimit
from .report import Counters
from .safely import Faults
from .spreading import Spreader
from .waiting import FlushDeadline, SettlementSignal, StopLatch, StripedLocks
from .workspace import WorkspaceCheck, workspace_check

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..settings import Settings
    from .engine import Dependencies
    from .workers import Workers


def build_engine(
    dependencies: Dependencies, *, on_idle: Callable[[], None], counters: Counters | None = None
) -> Engine:
    """
    Make and wire the parts of one process; called once for a client, in each forked child, and when threading was replaced.

    Args:
        dependencies: Of the client.
        on_idle: Called by a worker that finds nothing buffered.
        counters: To go on counting with.
    """
    settings = dependencies.settings
    own_message_ids(os.getpid())
    if counters is None:
        counters = Counters(threading.RLock())  # reentrant, because a signal handler may ask for the numbers
    rate = RateLimit(share=settings.rate_limit_share)
    jitter = random.Random().random  # only spreads requests over time, so it need not be hard to guess
    circuit = _build_circuit(settings, rate, jitter)
    stop, settled = StopLatch(), SettlementSignal()
    deadlines = _build_deadlines(dependencies, stop)
    outcomes = _build_outcomes(dependencies, counters)
    workspace = workspace_check(
        dependencies.buffer, settings, clock=dependencies.clock, report=outcomes.report_error
    )
    executor = _build_executor(
        dependencies, circuit, deadlines, jitter=jitter, outcomes=outcomes, workspace=workspace
    )
    consumer = _build_consumer(
        dependencies, executor, circuit=circuit, outcomes=outcomes, stop=stop, settled=settled
    )
    workers = _build_workers(
        dependencies, circuit, weak_work(consumer, on_idle), faults=outcomes.faults, stop=stop
    )
    flushing = _build_flushing(
        dependencies, circuit, consumer, workers, outcomes=outcomes, settled=settled, deadlines=deadlines
    )
    return Engine(
        dependencies,
        counters=counters,
        rate=rate,
        circuit=circuit,
        executor=executor,
        outcomes=outcomes,
        consumer=consumer,
        workers=workers,
        flushing=flushing,
        workspace=workspace,
    )


def _build_deadlines(dependencies: Dependencies, stop: StopLatch) -> Deadlines:
    settings = dependencies.settings
    return Deadlines(
        FlushDeadline(),
        clock=dependencies.clock,
        stop=stop,
        is_background=settings.delivery == "background",
        request_timeout=settings.connect_timeout + settings.read_timeout,
    )


def _build_circuit(settings: Settings, rate: RateLimit, jitter: Callable[[], float]) -> Circuit:
    return Circuit(
        rate,
        lock=threading.Lock(),
        jitter=jitter,
        probe_every=settings.auth_probe,
        base=settings.backoff_base,
        longest=settings.backoff_max,
        share=settings.rate_limit_share,
    )


def _build_executor(
    dependencies: Dependencies,
    circuit: Circuit,
    deadlines: Deadlines,
    *,
    jitter: Callable[[], float],
    outcomes: Outcomes,
    workspace: WorkspaceCheck | None,
) -> Executor:
    cache = WorkspaceCache(store_of(dependencies.buffer), lock=threading.Lock())
    return Executor(
        dependencies.settings,
        translator=dependencies.translator,
        cache=cache,
        transport=dependencies.transport,
        circuit=circuit,
        clock=dependencies.clock,
        pause=deadlines.pause,
        request_limit=deadlines.request_limit,
        jitter=jitter,
        lock_of=StripedLocks().of,
        on_foreign=outcomes.report_foreign,
        on_attributes=lambda count: outcomes.report_attributes(count, dependencies.settings.attribute_budget),
        spreader=_build_spreader(dependencies, cache) if dependencies.settings.spread_events else None,
        workspace=workspace,
    )


def _build_spreader(dependencies: Dependencies, cache: WorkspaceCache) -> Spreader:
    return Spreader(
        cache,
        MemorySeconds(lock=threading.Lock()),
        store=seconds_store_of(dependencies.buffer),
        connection=dependencies.settings.name,
    )


def _build_outcomes(dependencies: Dependencies, counters: Counters) -> Outcomes:
    return Outcomes(
        counters=counters,
        after=dependencies.after,
        on_error=dependencies.on_error,
        connection=dependencies.settings.name,
        faults=Faults(dependencies.clock.now),
        api_version=dependencies.settings.api_version,
    )


def _build_consumer(
    dependencies: Dependencies,
    executor: Executor,
    *,
    circuit: Circuit,
    outcomes: Outcomes,
    stop: StopLatch,
    settled: SettlementSignal,
) -> Consumer:
    return Consumer(
        buffer=dependencies.buffer,
        executor=executor,
        circuit=circuit,
        outcomes=outcomes,
        leases=LeaseKeeper(
            dependencies.buffer,
            clock=dependencies.clock,
            stop=stop,
            connection=dependencies.settings.name,
            faults=outcomes.faults,
        ),
        clock=dependencies.clock,
        on_settled=settled.notify,
        connection=dependencies.settings.name,
    )


def _build_workers(
    dependencies: Dependencies,
    circuit: Circuit,
    work: Callable[[Callable[[], None]], float | None],
    *,
    faults: Faults,
    stop: StopLatch,
) -> Workers:
    return build_workers(
        dependencies.settings,
        work,
        transport=dependencies.transport,
        demand=BufferDemand(dependencies.buffer, circuit, dependencies.clock),
        faults=faults,
        stop=stop,
    )


def _build_flushing(
    dependencies: Dependencies,
    circuit: Circuit,
    consumer: Consumer,
    workers: Workers,
    *,
    outcomes: Outcomes,
    settled: SettlementSignal,
    deadlines: Deadlines,
) -> Flushing:
    return Flushing(
        dependencies.settings,
        is_volatile=dependencies.is_volatile,
        buffer=dependencies.buffer,
        clock=dependencies.clock,
        circuit=circuit,
        consumer=consumer,
        outcomes=outcomes,
        workers=workers,
        settled=settled,
        deadlines=deadlines,
    )
