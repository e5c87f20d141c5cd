"""The whole main job on one machine: a hub and four hospitals, each with its own folder, database, keys and address."""
