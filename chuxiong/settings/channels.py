"""Channels over Redis pub/sub (measured fastest of the layers that cross processes)."""

from .base import REDIS_URL

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "cx"},
    }
}
