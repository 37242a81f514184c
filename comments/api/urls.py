"""Addresses of single comments and danmaku; the lists are below their targets."""

from django.urls import path

from comments.api import comments, danmaku

urlpatterns = [
    path("comments/<str:id>/", comments.CommentView.as_view(), name="api-comment"),
    path("comments/<str:id>/like/", comments.CommentLikeView.as_view(), name="api-comment-like"),
    path("comments/<str:id>/pin/", comments.CommentPinView.as_view(), name="api-comment-pin"),
    path("comments/<str:id>/heart/", comments.CommentHeartView.as_view(), name="api-comment-heart"),
    path("comments/<str:id>/approve/", comments.CommentApproveView.as_view(), name="api-comment-approve"),
    path("danmaku/<str:id>/", danmaku.OneDanmakuView.as_view(), name="api-danmaku"),
]
