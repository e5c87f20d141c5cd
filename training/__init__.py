"""How a model is learned without looking: privacy accounting and noise, models, what runs inside a hospital, rounds."""
