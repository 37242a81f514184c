"""Addresses of the account pages; ``/accounts/login/`` and related pages are allauth's."""

from django.urls import path

from accounts.views import channels, factors, notifications, reports, settings, sign_up

urlpatterns = [
    path("accounts/settings/", settings.settings, name="account_settings"),
    path("accounts/settings/tokens/create/", settings.create_token, name="account_token_create"),
    path("accounts/settings/tokens/revoke/", settings.revoke_token, name="account_token_revoke"),
    path("i18n/setlang/", settings.set_language, name="set_language"),
    path("accounts/signup/", sign_up.SignUpView.as_view(), name="account_signup"),
    # Listed before allauth's own views of the same names.
    path("accounts/2fa/totp/activate/", factors.ActivateFactorView.as_view(), name="mfa_activate_totp"),
    path("accounts/2fa/totp/deactivate/", factors.DeactivateFactorView.as_view(), name="mfa_deactivate_totp"),
    path(
        "accounts/2fa/recovery-codes/generate/",
        factors.RenewRecoveryCodesView.as_view(),
        name="mfa_generate_recovery_codes",
    ),
    path("@<str:username>/follow/", channels.follow, name="channel-follow"),
    path("notifications/", notifications.notification_list, name="notifications"),
    path("notifications/recent/", notifications.recent_notifications, name="notifications-recent"),
    path("report/<slug:kind>/<str:target_id>/", reports.report, name="report"),
]
