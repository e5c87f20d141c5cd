"""Networks that pass the one-batch dry run for differential privacy, their configuration and their flat weights."""
