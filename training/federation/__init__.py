"""How hospitals learn together: rounds, attempts, aggregation, and the one module that speaks Flower."""
