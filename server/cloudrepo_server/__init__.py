"""An HTTP server that behaves as a CloudRepo organization does; independent of pytest."""
