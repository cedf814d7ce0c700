"""The verified cache: its files, its locks and the room that it takes."""
