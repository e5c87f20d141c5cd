"""The reactor: this node's mirror of the ledger, kept up in order, and the only thing pages read."""
