"""However a process ends, its messages are delivered within ``exit_timeout``, or the number of undelivered ones is logged (W2)."""

from __future__ import annotations

import signal

import pytest

from metarouter_intercom.sandbox import Faults

from .conftest import DEADLINE


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise LookupError", 1),
    ],
    ids=["normal", "sys.exit", "error"],
)
def test_an_end_without_flush_delivers_everything(stage, ending, status):
    """A script that ends without a flush, however it ends, has delivered everything."""
    stage.run(f"client = make()\ntrack(client, *range(30))\n{ending}", expect=status)

    assert stage.numbers == list(range(30))
    assert stage.repeated == 0


def test_a_client_without_references_delivers_at_the_end(stage):
    """The messages of a client made inside a function survive the function."""
    stage.run(
        """
        import gc

        def use_it():
            client = make(delivery="manual")
            client.itself = client
            track(client, *range(5))

        use_it()
        gc.collect()
        """
    )

    assert stage.numbers == list(range(5))


def test_work_in_flight_at_the_end_is_finished(stage, sandbox):
    """The interpreter's exit waits for requests that are on their way."""
    sandbox.faults = Faults(latency=0.02)

    stage.run("client = make()\ntrack(client, *range(30))\ntime.sleep(0.05)")

    assert stage.numbers == list(range(30))
    assert stage.repeated == 0


def test_a_handler_that_exits_leads_to_the_exit_flush(stage):
    """The package installs no signal handler; a ``sys.exit`` in the host's handler is an end like any other."""
    process = stage.start(
        """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
        client = make(delivery="manual")
        track(client, *range(30))
        print("ready", flush=True)
        signal.pause()
        """
    )
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=DEADLINE)

    assert process.returncode == 5, errors
    assert stage.numbers == list(range(30))


@pytest.mark.parametrize("spool", [False, True], ids=["memory", "spool"])
def test_a_handler_that_closes_the_client_never_hangs_wherever_it_interrupts(
    stage, tmp_path, monkeypatch, spool
):
    """W3: ``client.close`` in the host's own handler works, although it may interrupt a call that holds a lock."""
    path = str(tmp_path / "a.spool") if spool else None
    script = f"""
        client = make(spool={path!r}, max_buffered=1_000_000)
        sent = START = int(os.environ["START"])

        def end(*_):
            client.close({DEADLINE})
            print(sent - START)
            sys.exit(5)

        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, float(os.environ["WHEN"]))
        while True:
            track(client, sent)
            sent += 1
        """
    for start, when in ((0, 0.011), (10_000, 0.029)):
        monkeypatch.setenv("START", str(start))
        monkeypatch.setenv("WHEN", str(when))
        accepted = int(stage.run(script, expect=5).stdout)
        arrived = [number for number in stage.numbers if number >= start]

        # The interrupted call had not returned, so its message may be there or not.
        assert arrived in ([*range(start, start + accepted)], [*range(start, start + accepted + 1)])


def test_a_handler_that_only_closes_lets_the_interrupted_call_continue(stage):
    """W3: a close while the interrupted call holds a lock stops accepting; delivery continues, and the exit waits for it."""
    stage.run(
        """
        from metarouter_intercom import ClientClosed
        from metarouter_intercom._delivery.buffers.memory import MemoryBuffer

        interrupted = []

        class Interrupted(MemoryBuffer):
            def pending(self):
                if not interrupted:
                    interrupted.append(True)
                    os.kill(os.getpid(), signal.SIGTERM)
                return super().pending()

        reports = []
        signal.signal(signal.SIGTERM, lambda *_: reports.append(client.close(5)))
        client = make(buffer=Interrupted(limit=10, dead_letters=10))
        track(client, 1, 2)
        client.stats()
        assert reports[0].accepted == 2, reports
        try:
            track(client, 3)
        except ClientClosed:
            print("closed")
        """
    )

    assert stage.numbers == [1, 2]


def test_a_handler_that_closes_the_client_during_its_first_check_does_not_hang(stage):
    """W3: the first request holds the transport's lock while it loads its libraries; a close there waits until the exit."""
    done = stage.run(
        """
        from metarouter_intercom._delivery.http import transport

        load = transport._load

        def interrupted_load():
            signal.raise_signal(signal.SIGTERM)
            load()

        transport._load = interrupted_load
        signal.signal(signal.SIGTERM, lambda *_: reports.append(client.close(5)))
        signal.alarm(30)
        reports = []
        client = make(delivery="manual")
        track(client, *range(3))
        print(client.check().region, reports[0].pending, client.health().status)
        """
    )

    assert done.stdout.split()[1:] == ["3", "closed"]
    assert stage.numbers == [0, 1, 2]


@pytest.mark.parametrize("delivery", ["background", "manual"])
def test_an_interrupted_flush_leaves_its_messages_to_the_exit(stage, sandbox, delivery):
    """Ctrl-C during a long flush ends the flush; its messages are delivered at the exit."""
    sandbox.faults = Faults(latency=0.02)
    process = stage.start(
        f"""
        client = make(delivery={delivery!r}, exit_timeout={DEADLINE})
        track(client, *range(100))
        try:
            print("ready", flush=True)
            client.flush()
        except KeyboardInterrupt:
            sys.exit(7)
        """
    )
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE)

    assert process.returncode == 7, errors
    assert sorted(set(stage.numbers)) == list(range(100))


def test_an_exit_flush_ends_in_time_and_logs_the_number_of_lost_messages(stage, sandbox):
    """A hanging Intercom delays the exit by ``exit_timeout``, not by the read timeout; the loss is logged."""
    sandbox.faults = Faults(hang=1.0, hang_seconds=DEADLINE)

    done = stage.run(
        """
        import logging

        logging.basicConfig(format="%(message)s %(pending)s")
        client = make(exit_timeout=0.2, workers=1)
        track(client, *range(7))
        """,
        timeout=20,
    )

    assert "closed with undelivered messages in memory: 7 lost 7" in done.stderr
    assert stage.numbers == []


def test_what_an_exit_flush_leaves_in_a_spool_the_next_process_delivers(stage, sandbox, tmp_path):
    """With a spool nothing is lost: a client that only opens the file delivers, without any call."""
    spool = str(tmp_path / "a.spool")
    sandbox.faults = Faults(unavailable=1.0)
    stage.run(f"client = make(exit_timeout=0.1, spool={spool!r})\ntrack(client, *range(7))")
    before = list(stage.numbers)
    sandbox.faults = Faults()

    stage.run(f"client = make(spool={spool!r})")

    assert before == []
    assert stage.numbers == list(range(7))


def test_a_first_message_at_the_very_end_is_delivered(stage):
    """Since CPython 3.12 an exit handler cannot start a thread; the exit flush then delivers in its own thread."""
    stage.run(
        """
        client = make()
        atexit.register(lambda: track(client, *range(5)))
        """
    )

    assert stage.numbers == list(range(5))


def test_a_system_without_threads_still_delivers(stage):
    """If the system gives no thread at all, calls work as usual, and a flush delivers in its own thread."""
    done = stage.run(
        """
        import logging

        logging.basicConfig(format="%(message)s")
        def refuse(*_, **__):
            raise RuntimeError("can't start new thread")

        threading.Thread.start = refuse
        client = make()
        track(client, *range(5))
        print(client.flush().delivered)
        """
    )

    assert done.stdout.split() == ["5"]
    assert "connection default: the system gives no more threads; 0 of 1 workers run" in done.stderr
    assert stage.numbers == list(range(5))


def test_threads_that_still_call_do_not_disturb_the_exit(stage):
    """Daemon threads of the host that call during the exit get ClientClosed at worst; nothing hangs."""
    done = stage.run(
        """
        from metarouter_intercom import ClientClosed

        client = make()
        begun = threading.Event()

        def call():
            number = 0
            while True:
                try:
                    track(client, number)
                except ClientClosed:
                    return
                number += 1
                begun.set()

        for _ in range(2):
            threading.Thread(target=call, daemon=True).start()
        begun.wait()
        """
    )

    assert "Traceback" not in done.stderr
    assert stage.numbers != []


def test_a_client_that_fails_at_the_exit_stops_no_other_one(stage):
    """Each client gets its exit flush, also after a client that could not be closed."""
    stage.run(
        """
        class Broken:
            def send(self, request):
                raise SystemExit("broken")

            def close(self):
                raise OSError("broken")

        clients = [make(delivery="manual", transport=Broken() if number == 1 else None) for number in range(4)]
        for number, client in enumerate(clients):
            track(client, number)
        """
    )

    assert sorted(stage.numbers) == [0, 2, 3]


def test_a_hook_that_exits_for_ever_ends_no_delivery(stage, tmp_path):
    """W9: a hook that raises SystemExit for each message, in a real process with a spool: all are delivered once, and the threads live."""
    done = stage.run(
        f"""
        told = []

        def leave(delivery):
            told.append(delivery.message["properties"]["number"])
            sys.exit("the hook exits")

        client = make(spool={str(tmp_path / "a.spool")!r}, after=[leave])
        for number in range(20):
            track(client, number)
            client.flush()
        health = client.health()
        report = client.close()
        print(report.delivered, report.pending, sorted(told) == list(range(20)), health.workers.threads > 0)
        print(health.workers.faults, health.workers.last_fault)
        """
    )

    assert done.stdout.splitlines() == ["20 0 True True", "20 SystemExit in an after-hook"]
    assert stage.numbers == list(range(20))
    assert stage.repeated == 0
