"""gevent and eventlet that replace ``threading`` early, late, or in a forked child: everything arrives, and nothing hangs (W8)."""

from __future__ import annotations

import pytest

_PATCH = {
    "gevent": "def patch():\n    from gevent import monkey\n    monkey.patch_all()\n\n\n",
    "eventlet": "def patch():\n    import eventlet\n    eventlet.monkey_patch()\n\n\n",
}
# What happens before the messages of the test; how many of its own messages each one sends.
_MOMENTS = {
    "early": ("patch()\nclient = make(**options)", 0),
    "made": ("client = make(**options)\npatch()", 0),
    "used": (
        "client = make(**options)\ntrack(client, 5)\nclient.flush(30)\ntrack(client, 5)\npatch()",
        10,
    ),
    "delivered": ("client = make(**options)\ntrack(client, 5)\nclient.flush(30)\npatch()", 5),
    "forked": (
        "client = make(**options)\ntrack(client, 5)\nclient.flush(30)\nif os.fork():\n    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))\npatch()",
        5,
    ),
}
_USE = """
track(client, 5)
callers = [threading.Thread(target=track, args=(client, 5)) for _ in range(2)]
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
turns = []


def go_on():
    while True:
        turns.append(1)
        time.sleep(0.001)


threading.Thread(target=go_on, daemon=True).start()
report = client.flush(30)
assert report.pending == 0, report
assert turns
track(client, 3)
report = client.close(30)
assert report.pending == 0, report
print("closed")
"""


@pytest.mark.parametrize(
    ("moment", "spool"),
    [*((moment, None) for moment in _MOMENTS), ("made", "a.spool"), ("forked", "a.spool")],
)
@pytest.mark.parametrize("library", _PATCH)
def test_threading_that_is_replaced(host, library, moment, spool):
    """W8: whenever ``threading`` is replaced, each message arrives once, other greenlets go on meanwhile, and the process ends."""
    if (library, moment) == ("eventlet", "used"):
        pytest.skip(
            "eventlet replaces the locks that threads hold: what is being sent then waits for its lease, as the log warns"
        )
    pytest.importorskip(library, reason=f"{library} is not installed", exc_type=ImportError)
    before, messages = _MOMENTS[moment]

    output = host.run(f"{_PATCH[library]}options = {{'spool': {spool!r}}}\n{before}\n{_USE}")

    assert "closed" in output
    assert "Traceback" not in output
    assert len(set(host.numbers)) == len(host.numbers) == messages + 18
