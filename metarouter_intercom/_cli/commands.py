"""The command group, and how a run ends: the exit code, and one line for each expected error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from .connect import check, connect
from .dead_letters import dead_letters
from .demo import demo
from .environment import VARIABLES
from .exit_codes import MEANINGS, ExitCode, Failed, failure
from .sandbox import sandbox
from .send import send
from .stats import stats
from .translate import translate

# \b keeps click from joining the lines.
_EPILOG = (
    "\b\nEnvironment:\n"
    + "\n".join(f"  {name:<24}{meaning}" for name, meaning in VARIABLES.items())
    + "\n\n\b\nExit codes:\n"
    + "\n".join(f"  {code:<5}{meaning}" for code, meaning in MEANINGS.items())
)


@click.group(
    epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="metarouter-intercom")
def commands() -> None:
    """
    Send Segment-spec messages to Intercom, and see what happens to them.

    To try it without an account, run `metarouter-intercom demo`. With an account, run `metarouter-intercom connect` once, then
    `metarouter-intercom send FILE`.
    """


for _command in (connect, check, demo, sandbox, translate, send, dead_letters, stats):
    commands.add_command(_command)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """
    Run the command line and exit; an expected error is printed as one line that says what to do.

    Args:
        arguments: The command line; None for the process's own.
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
    except BrokenPipeError:
        # The reader of the output has enough, as in `translate FILE | head`. Python must not fail again when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.INCOMPLETE
    except Exception as error:
        failed = error if isinstance(error, Failed) else failure(error)
        if failed is None:
            raise
        sys.stderr.write(f"metarouter-intercom: {failed}\n")
        code = failed.code
    sys.exit(code if isinstance(code, int) else ExitCode.DONE)
