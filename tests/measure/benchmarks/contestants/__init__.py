"""Processes that take part in a benchmark; those of peers run in the peers' environment, so they import no package of ours."""
