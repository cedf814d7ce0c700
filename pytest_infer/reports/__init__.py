"""From records to tables, pages and files."""
