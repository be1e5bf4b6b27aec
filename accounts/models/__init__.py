from accounts.models.api_key import ApiKey
from accounts.models.invitation import Invitation
from accounts.models.membership import Membership, ProviderProfile
from accounts.models.password_reset import PasswordReset
from accounts.models.second_factor import RecoveryCode, TotpDevice
from accounts.models.session import RefreshSession
from accounts.models.user import User

__all__ = [
    "ApiKey",
    "Invitation",
    "Membership",
    "PasswordReset",
    "ProviderProfile",
    "RecoveryCode",
    "RefreshSession",
    "TotpDevice",
    "User",
]
