"""
A pipeline's last step: whole messages from standard input, one JSON object a line, each safe on disk before the next is read.

    python examples/pipeline.py < messages.jsonl

Reads ``INTERCOM_API_KEY`` and its kin. Kill it at any moment and start it again: what it had taken is delivered.
"""

import json
import sys

from metarouter_intercom import Client, RejectedMessage


def main() -> int:
    """Send every line; the exit code is 1 when a line was broken or a message was given up."""
    broken = 0
    # `block` makes the pipeline wait while Intercom is slower than it is; `raise` and `drop_new` are the other choices.
    with Client.from_env(
        name="pipeline", spool="pipeline.spool", when_full="block", block_timeout=60
    ) as client:
        client.check()
        for number, line in enumerate(sys.stdin, start=1):
            try:
                client.send(json.loads(line))
            except (ValueError, RejectedMessage) as error:
                broken += 1
                print(f"line {number}: {error}", file=sys.stderr)
        report = client.flush(timeout=60)
        print(f"{report.delivered} delivered, {report.pending} pending, {broken} broken")
        for letter in client.dead_letters:
            print(f"given up: {letter.message['messageId']}: {letter.reason}", file=sys.stderr)
    return 1 if broken or report.dead else 0


if __name__ == "__main__":
    sys.exit(main())
