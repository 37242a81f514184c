"""Addresses of the account pages; ``/accounts/login/`` and related pages are allauth's."""

from django.urls import path

from accounts import factors, views

urlpatterns = [
    path("accounts/settings/", views.settings, name="account_settings"),
    path("accounts/settings/tokens/create/", views.create_token, name="account_token_create"),
    path("accounts/settings/tokens/revoke/", views.revoke_token, name="account_token_revoke"),
    path("i18n/setlang/", views.set_language, name="set_language"),
    path("accounts/signup/", views.SignUpView.as_view(), name="account_signup"),
    # Listed before allauth's own views of the same names.
    path("accounts/2fa/totp/activate/", factors.ActivateFactorView.as_view(), name="mfa_activate_totp"),
    path("accounts/2fa/totp/deactivate/", factors.DeactivateFactorView.as_view(), name="mfa_deactivate_totp"),
    path(
        "accounts/2fa/recovery-codes/generate/",
        factors.RenewRecoveryCodesView.as_view(),
        name="mfa_generate_recovery_codes",
    ),
    path("@<str:username>/follow/", views.follow, name="channel-follow"),
    path("notifications/", views.notification_list, name="notifications"),
    path("notifications/recent/", views.recent_notifications, name="notifications-recent"),
    path("report/<slug:kind>/<str:target_id>/", views.report, name="report"),
]
