"""Stored figures: their files, what a case is compared with, and what an update writes."""
