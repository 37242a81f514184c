"""Account pages of our own; ``/accounts/login/`` and its relatives are allauth's."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("accounts/settings/", views.settings, name="account_settings"),
    path("accounts/settings/tokens/create/", views.create_token, name="account_token_create"),
    path("accounts/settings/tokens/revoke/", views.revoke_token, name="account_token_revoke"),
    path("@<str:username>/follow/", views.follow, name="channel-follow"),
    path("notifications/", views.notification_list, name="notifications"),
    path("notifications/recent/", views.recent_notifications, name="notifications-recent"),
    path("report/<slug:kind>/<str:target_id>/", views.report, name="report"),
]
