"""What every unit test finds: this package's own models, whatever test comes first."""

from pytest_infer.models import registry

registry.registered()  # tests put the registry back as they found it: it must not be half full
