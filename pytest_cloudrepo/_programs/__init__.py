"""The subprocesses of a test: how they start, their environment, and what they can reach."""
