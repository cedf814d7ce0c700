"""The models that come with this package; `registry.registered` scans this folder."""
