"""What ``tools/seeds_page.py`` is made of: its data, its charts, and a section per article."""
