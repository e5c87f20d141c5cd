"""What a patient allowed: pure functions and values, without Django, I/O, a clock or randomness of their own."""
