"""One adapter per inference library; `registry.registered` scans this folder."""
