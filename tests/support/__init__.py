"""What the server's tests stand on: a running server, archives, forms, and raw connections."""
