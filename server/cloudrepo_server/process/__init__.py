"""One server's life: start-up, listeners, graceful shutdown, logging and metrics."""
