"""Uses the installed package without extras: import, public names, a client against the local Intercom, and the line that says what to install."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import metarouter_intercom
from metarouter_intercom import Client
from metarouter_intercom.sandbox import Sandbox

EXTRAS = ("flask", "click", "platformdirs", "tqdm", "joserfc", "pytest")


def main() -> None:
    """Use it; any failure raises."""
    present = [name for name in EXTRAS if importlib.util.find_spec(name)]
    assert not present, f"this environment is not bare: {present}"
    for name in metarouter_intercom.__all__:
        getattr(metarouter_intercom, name)
    with Sandbox() as sandbox, Client(api_key=sandbox.token, base_url=sandbox.url) as client:
        client.identify("u-1", {"plan": "pro"})
        client.track("u-1", "Signed Up")
        report = client.flush(timeout=30)
    assert (report.delivered, report.pending) == (2, 0), report
    command = Path(sys.executable).with_name("metarouter-intercom")
    done = subprocess.run([command, "--help"], capture_output=True, encoding="utf-8")
    assert done.returncode == 2, done
    assert "metarouter-intercom[cli]" in done.stderr, done
    print(f"metarouter-intercom {metarouter_intercom.__version__} works with its core dependencies alone")


if __name__ == "__main__":
    main()
