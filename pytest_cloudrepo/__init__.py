"""A pytest plugin that gives a test a private Python index of its own."""
