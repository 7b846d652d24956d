"""The packaging specifications and the dialects of registries; all but `readme.py` is pure."""
