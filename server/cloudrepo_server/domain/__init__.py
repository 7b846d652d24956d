"""Every rule of the organization and its repositories."""
