"""The judges of tasks, one file each: what outputs mean, whatever their numbers are."""
