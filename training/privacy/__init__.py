"""Differential privacy of patients: events, accountants, calibration, noise, sampling and the per-patient engine."""
