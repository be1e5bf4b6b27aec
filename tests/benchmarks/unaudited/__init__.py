"""This project without its audit, to measure what that costs; on a database of its own, without triggers."""
