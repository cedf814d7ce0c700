"""Clocks, rounds of calls, and the samples that they give."""
