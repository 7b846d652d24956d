"""What only a test needs: journal, faults and impersonations."""
