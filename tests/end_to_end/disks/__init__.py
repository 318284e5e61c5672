"""Real files and volumes that other programs touch (rule Q8)."""
