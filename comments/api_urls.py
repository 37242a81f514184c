"""Addresses of single comments and danmaku; the lists are below their targets."""

from django.urls import path

from comments import api, danmaku_api

urlpatterns = [
    path("comments/<str:id>/", api.CommentView.as_view(), name="api-comment"),
    path("comments/<str:id>/like/", api.CommentLikeView.as_view(), name="api-comment-like"),
    path("comments/<str:id>/pin/", api.CommentPinView.as_view(), name="api-comment-pin"),
    path("comments/<str:id>/heart/", api.CommentHeartView.as_view(), name="api-comment-heart"),
    path("comments/<str:id>/approve/", api.CommentApproveView.as_view(), name="api-comment-approve"),
    path("danmaku/<str:id>/", danmaku_api.OneDanmakuView.as_view(), name="api-danmaku"),
]
