"""Shared by the handlers: request state, responses, bodies, paths, authentication."""
