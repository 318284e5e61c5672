"""Where accepted messages wait: in memory, or in a spool on disk. Both behave alike, and one suite of tests checks both."""
