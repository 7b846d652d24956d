"""The one place that starts subprocesses."""
