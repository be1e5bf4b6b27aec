"""What a Django user would otherwise write: ModelViewSets on plain models of the same tables, simplejwt, cursor pages,
one audit row by the ORM. No tenancy below it: the views filter by practice themselves, on a login that may see all.
"""
