"""The packaging specifications and the registries' dialects, as pure functions."""
