"""
The last step of a pipeline: reads messages from standard input, one JSON object a line. Each is on disk before the next line is read.

    python examples/pipeline.py < messages.jsonl

Reads ``INTERCOM_API_KEY`` and the other ``INTERCOM_*`` variables. You can kill it at any moment: start it again, and it delivers the
messages that it had accepted.
"""

import json
import sys

from metarouter_intercom import Client, RejectedMessage


def main() -> int:
    """Send every line. The exit code is 1 if a line is broken or a message became a dead letter."""
    broken = 0
    # With `block` the pipeline waits if Intercom is slower than its input. The other values are `raise` and `drop_new`.
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
            print(f"dead letter: {letter.message['messageId']}: {letter.reason}", file=sys.stderr)
    return 1 if broken or report.dead else 0


if __name__ == "__main__":
    sys.exit(main())
