"""What all handlers share: request state, middlewares, bodies, responses, paths, authentication."""
