"""Keeps compiled templates in memory, so that a process that starts many sandboxes, as tests do, compiles each one once."""

from __future__ import annotations

from jinja2.bccache import Bucket, BytecodeCache


class TemplateCache(BytecodeCache):
    """Compiled templates in memory. Jinja compares the template's source to decide whether an entry is still valid."""

    def __init__(self) -> None:
        self._bytecode: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill *bucket* when its template was compiled before."""
        bytecode = self._bytecode.get(bucket.key)
        if bytecode is not None:
            bucket.bytecode_from_string(bytecode)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Store the compiled template in *bucket*."""
        self._bytecode[bucket.key] = bucket.bytecode_to_string()


TEMPLATE_CACHE = TemplateCache()
