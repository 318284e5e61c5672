"""A process that is killed between sending an event and settling it asks for the same second afterwards (rule E10)."""

from __future__ import annotations

import signal

import pytest

_KILLED_WHILE_SENDING = """
class Deadly:
    # Sends the request, so that the sandbox has the event, and is killed before it has the answer.
    def __init__(self, settings):
        from metarouter_intercom._delivery.http.transport import HttpTransport
        self.inner, self.left = HttpTransport(settings), {survived}

    def send(self, request):
        response = self.inner.send(request)
        if request.path == "/events":
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
        return response

    def close(self):
        self.inner.close()


from metarouter_intercom import Settings
choices = Settings(api_key="sandbox-token", base_url=ADDRESS, spool={spool!r}, delivery="manual")
client = Client(choices, transport=Deadly(choices))
for number in range({first}, {first} + 3):
    client.track(PERSON, "Happened", {{"number": number}}, timestamp="2024-01-01")
client.flush(10)
"""


@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_killed_delivery_doubles_and_loses_nothing(stage, tmp_path, survived):
    """After kill -9 between sending and settling, each of several events of one second is in the workspace once, in its order."""
    spool = str(tmp_path / "spool.db")
    for first in (0, 3):
        script = _KILLED_WHILE_SENDING.format(spool=spool, survived=survived, first=first)
        stage.run(script, expect=-signal.SIGKILL)
    stage.run(f"client = make(spool={spool!r})\nclient.flush(20)\nclient.close()")

    assert stage.numbers == [0, 1, 2, 3, 4, 5]
    assert stage.repeated > 0
