"""The search for the smallest feeds on which an engine is wrong."""
