"""Every door but those of the front."""

from chuxiong import urls, urls_front

_front = {str(door.pattern) for door in urls_front.urlpatterns}
urlpatterns = [door for door in urls.urlpatterns if str(door.pattern) not in _front]
