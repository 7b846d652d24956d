"""One server process: start, listeners, graceful shutdown, logging and metrics."""
