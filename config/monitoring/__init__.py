"""What an operator's Prometheus reads: metrics of each process, and the state of the whole service."""
