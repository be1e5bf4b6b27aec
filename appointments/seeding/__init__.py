from appointments.seeding.people import seed_users
from appointments.seeding.practice import DEMO_PRACTICES, PracticeSeed, seed_practice

__all__ = ["DEMO_PRACTICES", "PracticeSeed", "seed_practice", "seed_users"]
