"""Training over Celery: broker, transport, the hub's study runner and a hospital's site, as they run in workers."""
