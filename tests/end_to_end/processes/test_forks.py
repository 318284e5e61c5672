"""A forked child starts with empty memory and its own threads, locks and connections: nothing is sent twice, nothing hangs (W3)."""

from __future__ import annotations

import os
import sys

import pytest

from metarouter_intercom.sandbox import Faults

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def test_a_fork_before_the_first_use(stage):
    """A preloading server makes the client in the parent and uses it only in the child."""
    stage.run(
        """
        client = make()
        child = os.fork()
        if not child:
            track(client, *range(10))
            client.close()
            os._exit(0)
        wait_for([child])
        """
    )

    assert stage.numbers == list(range(10))
    assert stage.repeated == 0


@pytest.mark.parametrize("delivery", ["background", "manual"])
def test_a_fork_with_buffered_messages(stage, sandbox, delivery):
    """The parent delivers what it has buffered and on its way; the child delivers only its own messages."""
    sandbox.faults = Faults(latency=0.02)

    done = stage.run(
        f"""
        client = make(delivery={delivery!r})
        track(client, *range(20))
        child = os.fork()
        if not child:
            assert client.report().accepted == client.report().pending == 0
            track(client, *range(20, 30))
            report = client.close()
            os._exit(report.delivered != 10)
        print(client.close().delivered)
        wait_for([child])
        """
    )

    assert done.stdout.split() == ["20"]
    assert sorted(stage.numbers) == list(range(30))
    assert stage.repeated == 0


def test_a_child_that_ends_as_python_ends_gets_its_exit_flush(stage):
    """Exit handlers run in a child of ``os.fork`` that returns from its script; the parent keeps its own messages."""
    stage.run(
        """
        client = make(delivery="manual")
        track(client, *range(5))
        child = os.fork()
        if not child:
            track(client, *range(5, 10))
            sys.exit(0)
        wait_for([child])
        """
    )

    assert sorted(stage.numbers) == list(range(10))
    assert stage.repeated == 0


def test_a_child_that_never_calls_sends_nothing(stage):
    """A child that inherits a client with buffered messages and does not use it ends at once and sends nothing."""
    stage.run(
        """
        client = make(delivery="manual")
        track(client, *range(5))
        child = os.fork()
        if not child:
            sys.exit(0)
        wait_for([child])
        client._dependencies.transport.send = None
        os._exit(0)
        """
    )

    assert stage.numbers == []


def test_one_client_in_ten_children_and_their_children(stage):
    """Every process delivers its own messages: ten children at the same time, each with a child of its own."""
    stage.run(
        """
        client = make()
        track(client, 1000)
        client.flush()
        children = []
        for number in range(10):
            child = os.fork()
            if not child:
                track(client, *range(number * 10, number * 10 + 5))
                grandchild = os.fork()
                if not grandchild:
                    track(client, *range(number * 10 + 5, number * 10 + 10))
                    client.close()
                    os._exit(0)
                wait_for([grandchild])
                client.close()
                os._exit(0)
            children.append(child)
        wait_for(children)
        client.close()
        """
    )

    assert sorted(stage.numbers) == [*range(100), 1000]
    assert stage.repeated == 0


def test_forks_while_threads_accept_flush_and_deliver(stage):
    """Other threads may hold any lock at the moment of a fork; no child ever waits for such a lock."""
    done = stage.run(
        """
        client = make(workers=4)
        going = True

        def call():
            number = 10_000
            while going:
                track(client, number)
                client.stats()
                number += 1

        def flush():
            while going:
                client.flush(0.01)

        callers = [threading.Thread(target=work) for work in (call, call, flush)]
        for caller in callers:
            caller.start()
        children = []
        for number in range(20):
            child = os.fork()
            if not child:
                signal.alarm(30)
                track(client, number)
                report = client.close(20)
                os._exit(report.delivered != 1)
            children.append(child)
        try:
            wait_for(children)
        finally:
            going = False
        for caller in callers:
            caller.join()
        report = client.close(0)
        print(report.accepted >= report.delivered)
        """
    )

    assert done.stdout.split() == ["True"]
    assert [number for number in sorted(stage.numbers) if number < 1_000] == list(range(20))


@pytest.mark.parametrize("buffer", ["memory", "spool"])
def test_after_a_fork_nothing_is_imported_late(stage, tmp_path, buffer):
    """W3: what a child calls first, whatever it is, needs no module that another thread of the parent may have been importing."""
    done = stage.run(
        f"""
        import datetime

        client = make(spool={str(tmp_path / "spool.db") if buffer == "spool" else None!r})
        going = threading.Event()
        threading.Thread(target=going.wait, daemon=True).start()
        child = os.fork()
        if child:
            wait_for([child])
            going.set()
            sys.exit()
        before = set(sys.modules)
        now = datetime.datetime.now()
        client.identify(PERSON, {{"plan": "pro", "created_at": "2024-01-31", "pets": [1], "company": {{"id": "c", "name": "n"}}}})
        client.track(PERSON, "Happened", {{"number": 1, "revenue": "$ 12.50", "at": now}}, timestamp=now)
        client.group(PERSON, "c2", {{"size": 5}})
        client.page(PERSON)
        client.screen(PERSON)
        client.alias("another", PERSON)
        client.send({{"type": "track", "userId": PERSON, "event": "Happened", "properties": [], "timestamp": "Tue, 15 Nov 1994 12:45:26 GMT"}})
        try:
            client.send({{"type": "track"}})
        except ValueError as error:
            assert "event" in str(error)
        client.flush(10)
        client.check()
        client.stats(), client.health(), client.report(), client.history, client.dead_letters
        client.close(0)
        print(sorted(set(sys.modules) - before), flush=True)
        os._exit(0)
        """
    )

    assert done.stdout.split() == ["[]"]


@pytest.mark.parametrize("held", ["pool", "opening", "engine"])
def test_a_lock_that_another_thread_holds_during_a_fork_blocks_no_child(stage, held):
    """A child makes its own locks, and dropping the parent's connections needs none of the parent's locks."""
    stage.run(
        f"""
        import gc

        client = make()
        track(client, 0)
        client.flush()
        engine, transport = client._engine, client._dependencies.transport
        locks = {{
            "pool": [engine.circuit._lock, engine.counters._lock, client._dependencies.buffer._lock],
            "opening": [transport._lock.get()] if {held!r} == "opening" else [],
            "engine": [engine.ending, engine._workers._lock],
        }}[{held!r}]
        holding, done = threading.Event(), threading.Event()

        def hold():
            for lock in locks:
                lock.acquire()
            holding.set()
            done.wait(0.3 if {held!r} == "opening" else 60)
            for lock in locks:
                lock.release()

        holder = threading.Thread(target=hold)
        holder.start()
        holding.wait()
        child = os.fork()
        if not child:
            signal.alarm(30)
            track(client, 1)
            client.close()
            gc.collect()
            os._exit(0)
        wait_for([child])
        done.set()
        holder.join()
        client.close()
        """
    )

    assert stage.numbers == [0, 1]


def test_a_process_that_forks_without_telling_python(stage):
    """Some servers fork in C, so that no fork hook of Python runs: every call compares the process id."""
    stage.run(
        """
        import ctypes

        # Such a fork copies CPython's own locks as they are, so the threads must be at rest and hold none. From 3.13 on it is safe
        # only while there is no other thread.
        client = make(delivery="background" if sys.version_info < (3, 13) else "manual", flush_interval=60)
        track(client, *range(5))
        client.flush()
        time.sleep(0.3)
        child = ctypes.PyDLL(None).fork()
        if not child:
            signal.alarm(30)
            begun = threading.Barrier(4)

            def call(number):
                begun.wait()
                track(client, number)

            callers = [threading.Thread(target=call, args=(number,)) for number in range(5, 9)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
            report = client.close()
            os._exit(report.delivered != 4)
        wait_for([child])
        client.close()
        """
    )

    assert sorted(stage.numbers) == list(range(9))
    assert stage.repeated == 0


def test_an_own_session_does_not_share_its_connections_with_a_child(stage):
    """Parent and child use the caller's ``requests.Session``, each over its own connections."""
    stage.run(
        """
        import requests

        client = make(session=requests.Session())
        track(client, *range(5))
        client.flush()
        child = os.fork()
        if not child:
            track(client, *range(5, 25))
            report = client.close()
            os._exit(report.delivered != 20)
        track(client, *range(25, 45))
        client.close()
        wait_for([child])
        """
    )

    assert sorted(stage.numbers) == list(range(45))
    assert stage.repeated == 0


def test_a_fork_of_a_closed_client_stays_closed(stage):
    """A client that was closed before the fork accepts no messages in the child either."""
    stage.run(
        """
        from metarouter_intercom import ClientClosed

        client = make()
        client.close()
        child = os.fork()
        if not child:
            try:
                track(client, 1)
            except ClientClosed:
                os._exit(0)
            os._exit(1)
        wait_for([child])
        """
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(stage, method):
    """Forked children use the parent's client, spawned children make their own; both close it at their end."""
    if method == "spawn" and sys.platform == "darwin":
        pytest.skip("a script given by -c cannot be spawned")
    stage.run(
        f"""
        import multiprocessing

        multiprocessing.set_start_method({method!r})
        client = make() if {method!r} == "fork" else None

        def work(number):
            own = client or make()
            track(own, number)
            own.close()

        if {method!r} == "fork":
            processes = [multiprocessing.Process(target=work, args=(number,)) for number in range(5)]
        else:
            code = "import sys; sys.argv = ['-c', " + repr(ADDRESS) + ", " + repr(PERSON) + "]"
            processes = []
            for number in range(2):
                script = (
                    "from metarouter_intercom import Client\\n"
                    "client = Client(api_key='sandbox-token', base_url=%r)\\n"
                    "client.track(%r, 'Happened', {{'number': %d}}, timestamp=1_700_000_000 + %d)\\n"
                    "client.close()\\n" % (ADDRESS, PERSON, number, number)
                )
                processes.append(multiprocessing.Process(target=exec, args=(script,)))
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * len(processes)
        """
    )

    assert sorted(stage.numbers) == list(range(5 if method == "fork" else 2))
    assert stage.repeated == 0


def test_a_spool_is_shared_by_parent_and_children(stage, tmp_path):
    """Several processes share one spool file: each message is sent once, whichever process delivers it."""
    spool = str(tmp_path / "a.spool")
    stage.run(
        f"""
        client = make(spool={spool!r})
        track(client, *range(10))
        children = []
        for number in range(1, 4):
            child = os.fork()
            if not child:
                track(client, *range(number * 10, number * 10 + 10))
                client.close()
                os._exit(0)
            children.append(child)
        wait_for(children)
        client.close()
        """
    )

    assert sorted(stage.numbers) == list(range(40))
    assert stage.repeated == 0
