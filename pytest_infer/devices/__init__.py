"""Which device a case runs on, what it is, and who else uses it."""
