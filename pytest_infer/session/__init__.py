"""What one run makes once and hands to its tests."""
