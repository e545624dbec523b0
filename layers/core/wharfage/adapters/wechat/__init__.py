"""WeChat Pay: the payment channel over its API v3, by public keys, without state."""

from wharfage.adapters.wechat.channel import WechatChannel

__all__ = ["WechatChannel"]
