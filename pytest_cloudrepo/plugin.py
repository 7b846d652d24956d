"""The pytest plugin: hooks, options, the marker and the fixtures; translation only, no logic."""
