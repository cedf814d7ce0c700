"""A small network for handwritten digits, trained here, and its int8 forms."""
