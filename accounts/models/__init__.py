from accounts.models.membership import Membership, ProviderProfile
from accounts.models.session import RefreshSession
from accounts.models.user import User

__all__ = ["Membership", "ProviderProfile", "RefreshSession", "User"]
