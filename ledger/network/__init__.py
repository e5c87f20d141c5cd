"""A real Fabric network of ours: keys, channel, peers, orderers and contracts, as plain processes, no containers."""
