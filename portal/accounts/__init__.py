"""Who signs in to this node, and as what."""
