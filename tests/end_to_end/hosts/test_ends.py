"""First calls while the interpreter ends, clients that nobody holds, and interpreters without threads (W8)."""

from __future__ import annotations

import sys
import textwrap

import pytest

# How an app calls after the exit handler of the package, or first at the interpreter's end.
_LATE = {
    "a late exit handler": """
        atexit.register(lambda: track(client, 3))
        client = make(**options)
        """,
    "a late exit handler of a client that was used": """
        atexit.register(lambda: track(client, 2))
        client = make(**options)
        track(client)
        """,
    "a client that an exit handler makes": """
        def late():
            global client
            client = make(**options)
            track(client, 3)

        atexit.register(late)
        """,
}


@pytest.mark.parametrize("spool", [None, "a.spool"], ids=["memory", "spool"])
@pytest.mark.parametrize("moment", _LATE)
def test_a_call_while_the_interpreter_ends(host, moment, spool):
    """W8: what is called late is delivered by the call itself; no thread is needed, and nothing hangs."""
    host.run(f"options = {{'spool': {spool!r}}}\n{textwrap.dedent(_LATE[moment])}")

    assert len(set(host.numbers)) == len(host.numbers) == 3, host.output


def test_a_finalizer_after_the_end_of_the_modules(host):
    """W8: when Python has taken its modules apart nothing can be sent, and the error says so; nothing hangs."""
    output = host.run(
        """
        class Holder:
            def __del__(self):
                track(self.client)

        holder = Holder()
        holder.client = make()
        track(holder.client)
        """
    )

    assert len(host.numbers) == 1
    assert "ClientClosed: the interpreter has ended, so this message is not sent" in output


def test_a_late_call_without_an_answer_says_what_is_lost(host):
    """W8: when Intercom cannot be reached, the late calls together take ``exit_timeout``, and the lost messages are logged."""
    output = host.run(
        """
        atexit.register(lambda: track(client, 3))
        client = make(base_url="http://127.0.0.1:9", exit_timeout=0.5)
        logging.basicConfig()
        """
    )

    assert output.count("undelivered messages in memory: 1 lost") == 3


@pytest.mark.parametrize("spool", ["None", "f'{number}.spool'"], ids=["memory", "spool"])
def test_a_client_for_each_request_leaves_nothing_behind(host, spool):
    """W8: a client that nobody holds and that has delivered all ends its threads and closes its files, also one in a cycle with its hook."""
    host.run(
        f"""
        import gc


        class Analytics:
            def __init__(self, number):
                self.ends = []
                self.client = make(spool={spool}, after=[self.note], workers=2)

            def note(self, delivery):
                self.ends.append(delivery)


        def descriptors():
            return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


        first = make()
        track(first)
        first.flush(30)
        first.close(5)
        before = descriptors()
        for number in range(10):
            track(Analytics(number).client)
        deadline = time.monotonic() + 50
        while True:
            gc.collect()
            threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("metarouter")]
            if not threads and descriptors() <= before:
                break
            assert time.monotonic() < deadline, (threads, descriptors(), before)
            time.sleep(0.05)
        """
    )

    assert len(set(host.numbers)) == len(host.numbers) == 11


@pytest.mark.skipif(sys.version_info < (3, 13), reason="_interpreters is new in Python 3.13")
def test_a_subinterpreter_without_daemon_threads(host):
    """W8: where no daemon thread is allowed, the call itself delivers, and says so once."""
    output = host.run(
        """
        import _interpreters

        script = open("app.py").read().split("import _interpreters")[0]
        script += "client = make()\\ntrack(client, 3)\\nassert client.report().pending == 0\\n"
        number = _interpreters.create("legacy") if "legacy" in sys.argv else _interpreters.create()
        failure = _interpreters.exec(number, script)
        assert failure is None, failure
        _interpreters.destroy(number)
        """
    )

    assert len(set(host.numbers)) == len(host.numbers) == 3, output
