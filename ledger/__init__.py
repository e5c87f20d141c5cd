"""What the consortium agreed: contracts, the ledgers that host them, the client that reaches them, the verifier."""
