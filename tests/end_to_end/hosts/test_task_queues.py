"""Celery's workers: what their tasks accept arrives once (rules W2, W3, W8)."""

from __future__ import annotations

import signal
import sys

import pytest

_TASKS = 12
# A broker of plain files, so that nothing else has to run.
_APP = """
from celery import Celery
from celery.signals import worker_process_shutdown, worker_shutdown

for name in ("queue", "control", "done"):
    os.makedirs(name, exist_ok=True)
folders = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}
tasks = Celery("app", broker="filesystem://", broker_connection_retry_on_startup=True)
tasks.conf.broker_transport_options = folders
# Nothing is delivered before the end, so it must be delivered at the end.
client = make(flush_interval=3600.0)


@tasks.task
def work(number):
    track(client)
    open(f"done/{number}", "w").close()


def deliver_the_rest(**_):
    client.close(timeout=20)


worker_process_shutdown.connect(deliver_the_rest, weak=False)
worker_shutdown.connect(deliver_the_rest, weak=False)
"""


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_celery_worker_delivers_at_its_end(host, pool):
    """W3, W8: a client of the module delivers what the tasks of each child accepted when the worker ends; nothing is sent twice."""
    pytest.importorskip("celery", reason="celery is not installed")
    host.write(_APP)
    options = ("--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat")
    worker = host.start(sys.executable, "-m", "celery", "-A", "app:tasks", "worker", "--pool", pool, *options)
    sender = host.start(
        sys.executable, "-c", f"import app\nfor number in range({_TASKS}): app.work.delay(number)"
    )
    assert sender.wait(60) == 0
    host.wait_for_files("done/*", _TASKS)
    host.stop(worker, signal.SIGTERM)

    assert len(set(host.numbers)) == len(host.numbers) == _TASKS, host.output
    assert host.repeated == 0
