"""Claims messages, executes what they ask for, settles them, retries; the folder that acts."""
