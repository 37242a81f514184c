"""The API addresses of this app, below ``/api/v1/``."""

from rest_framework.routers import DefaultRouter

from videos.api import VideoViewSet

router = DefaultRouter()
router.include_root_view = False
router.register("videos", VideoViewSet, basename="video")

urlpatterns = router.urls
