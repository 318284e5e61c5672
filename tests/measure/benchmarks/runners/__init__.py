"""Programs that a benchmark runs in separate processes; for a peer they run in its environment, so they import ours only when asked to."""
