"""Makes the replaceable parts of a client from its settings, where the caller passed none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import requests

    from .._delivery.engine import Dependencies
    from ..plugins import After, Buffer, Clock, OnError, Translator, Transport
    from ..settings import Settings
    from .lifetime import Owned

# Seconds that a worker waits while another program has the spool locked; then it tries again later, so that nobody waits for it.
_BUSY_TIMEOUT = 0.5


def dependencies_of(
    settings: Settings,
    *,
    transport: Transport | None,
    session: requests.Session | None,
    buffer: Buffer | None,
    translator: Translator | None,
    clock: Clock | None,
    after: Sequence[After],
    on_error: OnError | None,
) -> tuple[Dependencies, Owned]:
    """Return what a client depends on, and those parts that are its own."""
    from .._delivery.engine import Dependencies
    from .._delivery.steady_clock import steady_clock

    transport, buffer, owned = _parts(settings, transport, session=session, buffer=buffer)
    clock = _clock() if clock is None else clock
    dependencies = Dependencies(
        settings=settings,
        transport=transport,
        translator=_translator(settings) if translator is None else translator,
        clock=steady_clock(clock, buffer),
        wall=clock.now,
        buffer=buffer,
        after=tuple(after),
        on_error=on_error,
        is_volatile=owned.buffer is not None and settings.spool is None,
    )
    return dependencies, owned


def _parts(
    settings: Settings,
    transport: Transport | None,
    *,
    session: requests.Session | None,
    buffer: Buffer | None,
) -> tuple[Transport, Buffer, Owned]:
    """Return the transport and the buffer of a client, and those of them that are its own."""
    from .lifetime import ErrorRelay, Owned

    relay = ErrorRelay()
    own_transport = _transport(settings, session) if transport is None else None
    own_buffer = _buffer(settings, relay) if buffer is None else None
    used_transport, used_buffer = own_transport or transport, own_buffer or buffer
    assert used_transport is not None
    assert used_buffer is not None
    return used_transport, used_buffer, Owned(own_transport, own_buffer, relay)


def _buffer(settings: Settings, on_error: OnError) -> Buffer:
    if settings.spool is None or not settings.enabled:
        from .._delivery.buffers.memory import MemoryBuffer

        return MemoryBuffer(
            limit=settings.messages_kept,
            dead_letters=settings.dead_letters_kept,
            history=settings.history_kept,
        )
    from .._delivery.buffers.fallback import FallbackBuffer
    from .._delivery.buffers.spool import SpoolBuffer
    from .._delivery.credentials import fingerprint_of
    from .mapping_settings import mapping_of

    spool = SpoolBuffer(
        settings.spool,
        limit=settings.messages_kept,
        dead_letters=settings.dead_letters_kept,
        history=settings.history_kept,
        sync=settings.spool_sync,
        credentials=fingerprint_of(settings),
        mapping=mapping_of(settings),
        busy_timeout=_BUSY_TIMEOUT,
        must_open=False,
    )
    return FallbackBuffer(spool, on_error=on_error, history=settings.history_kept)


def _transport(settings: Settings, session: requests.Session | None) -> Transport:
    from .._delivery.http.transport import HttpTransport

    return HttpTransport(settings, session=session)


def _translator(settings: Settings) -> Translator:
    from ..operations import DefaultTranslator

    return DefaultTranslator(settings)


def _clock() -> Clock:
    from .clock import SystemClock

    return SystemClock()
