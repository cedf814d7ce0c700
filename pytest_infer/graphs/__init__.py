"""From a model's module to the file that an engine is built from."""
