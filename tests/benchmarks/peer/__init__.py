"""The stack that this project replaces, written as a competent engineer would write it there: FastAPI, SQLAlchemy 2
async on asyncpg, pydantic and JWT. It reads and writes the same tables and answers with the same bodies; it knows
nothing of Django. Only `make bench` installs what it needs and runs it.
"""
