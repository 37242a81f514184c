"""The pages of this app; its API is in ``api_urls``."""

from django.urls import path

from videos import conversation, views

urlpatterns = [
    path("watch/<slug:public_id>/", views.watch, name="watch"),
    path("watch/<slug:public_id>/poster.jpg", views.poster, name="video-poster"),
    path("watch/<slug:public_id>/comments/", conversation.comments, name="video-comments"),
    path("watch/<slug:public_id>/comments/<slug:comment_id>/", conversation.comment, name="video-comment"),
    path("embed/<slug:public_id>/", views.embed, name="embed"),
    path("upload/", views.upload, name="upload"),
    path("studio/", views.studio, name="studio"),
    path("studio/<slug:public_id>/", views.edit, name="studio-edit"),
    path("studio/<slug:public_id>/captions/", views.add_captions, name="studio-captions"),
    path(
        "studio/<slug:public_id>/captions/<slug:language>/remove/",
        views.remove_captions,
        name="studio-captions-remove",
    ),
    path("studio/<slug:public_id>/delete/", views.delete, name="studio-delete"),
    path("studio/<slug:public_id>/retry/", views.retry, name="studio-retry"),
]
