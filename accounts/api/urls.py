"""API addresses of this app, below ``/api/v1/``; ``videoplatform.api`` serves channels."""

from django.urls import path

from accounts.api import channels, entrance, notifications, reports

urlpatterns = [
    path("accounts/register/", entrance.RegisterView.as_view(), name="api-register"),
    path("accounts/register/challenge/", entrance.ChallengeView.as_view(), name="api-register-challenge"),
    path("accounts/token/", entrance.TokenView.as_view(), name="api-token"),
    path("accounts/me/", channels.MeView.as_view(), name="api-me"),
    path("channels/<str:username>/follow/", channels.FollowView.as_view(), name="api-follow"),
    path("reports/", reports.ReportView.as_view(), name="api-reports"),
    path("notifications/", notifications.NotificationsView.as_view(), name="api-notifications"),
    path("notifications/read/", notifications.NotificationsReadView.as_view(), name="api-notifications-read"),
]
