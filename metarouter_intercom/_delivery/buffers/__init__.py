"""Where accepted messages wait: in memory, or in a spool on disk; one behaviour, tested by one suite."""
