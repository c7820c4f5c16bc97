"""A queue like Amazon SQS: a received message hides for a while instead of leaving, and comes back unless it is deleted.

What is said of Amazon SQS here comes from its API reference (as in the service model of botocore 1.44.5) and from its
Developer Guide. **Its own settings and parameters are in whole seconds, as at AWS** (``visibility_timeout=30`` is half a
minute); every time that is passed in or told by the simulator (``now``, ``visible_at``) is in milliseconds.
"""
