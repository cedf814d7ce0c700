"""From numbers to verdicts, without pytest, processes or libraries."""
