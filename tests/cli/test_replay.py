"""One run over one file, with a spool so small that reading has to wait, and a visible progress bar."""

from __future__ import annotations

import io
import os
import signal

import pytest

from metarouter_intercom import Client
from metarouter_intercom._cli.exit_codes import ExitCode, Failed
from metarouter_intercom._cli.meter import make_bar
from metarouter_intercom._cli.progress import Progress
from metarouter_intercom._cli.rejects import Rejects
from metarouter_intercom._cli.replay import Replay, ReplayFile
from metarouter_intercom._cli.signals import StopFlag, stop_signals, until_interrupted
from metarouter_intercom.sandbox import Workspace, WorkspaceTransport

from .replaying import differences, write_messages

_NUMBER = 300


class _Screen(io.StringIO):
    """Records what a bar draws."""

    def isatty(self):
        return True


@pytest.fixture
def file(tmp_path):
    """A file of messages with a known result."""
    path = tmp_path / "events.jsonl"
    write_messages(path, _NUMBER)
    return path


@pytest.fixture
def replay(tmp_path, file):
    """Make a run with a spool for ten messages and a recorded screen."""

    def make(workspace, *, total=None, token=None, stop=None):
        screen = _Screen()
        bar = make_bar(total, hide=False, file=screen)
        bar.mininterval = 0
        made = Replay(
            files=[
                ReplayFile(
                    name="events.jsonl",
                    open_stream=lambda: file.open("rb"),
                    progress=Progress(),
                    save=lambda: None,
                    rejects=Rejects(tmp_path / "rejects", keep=0),
                    size=file.stat().st_size,
                )
            ],
            client=Client(
                api_key="key",
                spool=tmp_path / "spool",
                transport=WorkspaceTransport(workspace, token=token),
                max_buffered=10,
                when_full="block",
                block_timeout=0.02,
                flush_interval=0.01,
            ),
            bar=bar,
            stop=StopFlag() if stop is None else stop,
        )
        return made, screen

    return make


@pytest.mark.parametrize("total", [_NUMBER, None], ids=["counted", "estimated"])
def test_reading_waits_while_the_spool_is_full(replay, total):
    """A file larger than the spool is sent completely, and the bar ends at its total."""
    workspace = Workspace(app_limit=10**6, workspace_limit=10**6)
    run, screen = replay(workspace, total=total)

    report = run.run()
    run.bar.close()

    assert run.is_finished
    assert report.delivered == _NUMBER
    assert differences(workspace, _NUMBER) == []
    assert (run.bar.n, run.bar.total) == (_NUMBER, _NUMBER)
    assert f"{_NUMBER}/{_NUMBER}" in screen.getvalue()
    assert "errors=0" in screen.getvalue()


def test_a_refused_key_ends_the_wait_for_a_full_spool(replay):
    """If the spool is full and Intercom refuses the key, the run ends, because waiting would never end."""
    run, _ = replay(Workspace(), token="another")

    with pytest.raises(Failed) as caught:
        run.run()

    assert caught.value.code == ExitCode.SETTINGS
    assert run.read < _NUMBER


def test_an_interrupt_ends_the_wait_for_a_full_spool(replay, tmp_path):
    """An interrupt ends a run that waits because the spool is full."""
    stop = StopFlag()

    class _Stopping(WorkspaceTransport):
        def send(self, request):
            if workspace.handled == 5:
                stop(signal.SIGINT, None)
            return super().send(request)

    workspace = Workspace(app_limit=10**6, workspace_limit=10**6)
    run, _ = replay(workspace, stop=stop)
    run.client.close()
    run.client = Client(
        api_key="key",
        spool=tmp_path / "other",
        transport=_Stopping(workspace),
        max_buffered=1,
        when_full="block",
        block_timeout=0.01,
        flush_interval=0.01,
    )

    run.run()

    assert stop.is_set
    assert not run.is_finished
    assert run.read < _NUMBER


def test_the_first_signal_sets_the_flag_and_the_second_one_raises():
    """The first Ctrl-C sets the flag; a second one, or one during a wait that can be cut off, raises at once."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        was_set = stop.is_set
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    with stop_signals() as waiting:
        waiting.raises = True
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)

    assert was_set
    assert waiting.is_set
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_server_waits_until_it_is_interrupted():
    """A command that runs until Ctrl-C or SIGTERM ends without an error, whenever the signal comes."""
    steps = []
    with until_interrupted():
        steps.append("begun")
        os.kill(os.getpid(), signal.SIGTERM)
        steps.append("never")

    assert steps == ["begun"]
