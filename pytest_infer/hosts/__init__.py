"""Engine hosts: processes in which engines are built, opened, run and timed."""
