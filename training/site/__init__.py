"""What runs inside a hospital: the gate, cohorts, the loader, the trainer, the outgoing filter. Stores come in."""
