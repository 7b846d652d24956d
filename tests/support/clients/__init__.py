"""What the matrix of clients stands on: the clients, installed, and the table they fill."""
