"""How made-up examples are made up: the same ones in every run, at any speed.

A change is judged by what it does, not by the examples that chance chose for it or by how busy the machine was. To
search for new ones: ``pytest --hypothesis-profile=search``; what it finds becomes an ``@example``.
"""

from hypothesis import HealthCheck, settings

SLOWNESS = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=SLOWNESS)
settings.register_profile("search", deadline=None, suppress_health_check=SLOWNESS, print_blob=True)
settings.load_profile("same")
