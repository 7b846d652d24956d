"""What answers HTTP as a CloudRepo organization does; it knows nothing of pytest."""
