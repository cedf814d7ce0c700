"""Models: their registry and specs, their weights and what they are fed."""
