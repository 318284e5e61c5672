"""The commands of ``metarouter-intercom``; the only package that knows click."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from .connect import check, connect
from .dead_letters import dead_letters
from .demo import demo
from .exit_codes import ExitCode, Failed, failure
from .sandbox import sandbox
from .send import send
from .stats import stats
from .translate import translate

_EPILOG = """\b
Exit codes:
  0    everything was done
  1    done, but messages were rejected, are dead letters or are still pending
  2    the command was not understood
  3    a setting is wrong: key, region, App/Source ID
  4    Intercom cannot be reached, or does not answer as expected
  5    a file cannot be read or written
  130  interrupted; `send` goes on where it was when it is run again
"""


@click.group(
    epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="metarouter-intercom")
def commands() -> None:
    """
    Send Segment-spec messages to Intercom, and look at what becomes of them.

    Start without an account: `metarouter-intercom demo`. With one: `metarouter-intercom connect`, then `metarouter-intercom send FILE`.
    """


for _command in (connect, check, demo, sandbox, translate, send, dead_letters, stats):
    commands.add_command(_command)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """
    Run the command line and exit: every foreseen error is one line that says what to do.

    Args:
        arguments: Those of the process when None.
    """
    try:
        code = commands.main(arguments, prog_name="metarouter-intercom", standalone_mode=False)
    except click.exceptions.Abort:
        sys.stderr.write("metarouter-intercom: interrupted\n")
        code = ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.exceptions.Exit as end:
        code = end.exit_code
    except Exception as error:
        failed = error if isinstance(error, Failed) else failure(error)
        if failed is None:
            raise
        sys.stderr.write(f"metarouter-intercom: {failed}\n")
        code = failed.code
    sys.exit(code if isinstance(code, int) else ExitCode.DONE)
