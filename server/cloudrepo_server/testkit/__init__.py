"""Features that only tests need: journal, faults and impersonations."""
