"""A hospital's patients: their consents, and what their records were used for. On hospital nodes only."""
