"""One index server per pytest session; the only code that knows pytest-xprocess."""
