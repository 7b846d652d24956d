"""The packaging specifications and the dialects of registries, as pure functions."""
