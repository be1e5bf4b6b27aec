"""`make bench`: this project beside the stack it replaces, a plain Django one, and what PostgreSQL itself can do."""
