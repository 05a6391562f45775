"""Base bytes and a recipe in, derivative bytes out. The only room that knows libvips.

Nothing is re-exported: a deriving process imports ``derive.worker`` and must not pay for the event loop of
``derive.pool``, nor the pool's owner for libvips.
"""
