"""API addresses of this app, below ``/api/v1/``; ``videoplatform.api`` serves channels."""

from django.urls import path

from accounts import api

urlpatterns = [
    path("accounts/register/", api.RegisterView.as_view(), name="api-register"),
    path("accounts/register/challenge/", api.ChallengeView.as_view(), name="api-register-challenge"),
    path("accounts/token/", api.TokenView.as_view(), name="api-token"),
    path("accounts/me/", api.MeView.as_view(), name="api-me"),
    path("channels/<str:username>/follow/", api.FollowView.as_view(), name="api-follow"),
    path("reports/", api.ReportView.as_view(), name="api-reports"),
    path("notifications/", api.NotificationsView.as_view(), name="api-notifications"),
    path("notifications/read/", api.NotificationsReadView.as_view(), name="api-notifications-read"),
]
