"""Dynamic configs and experiments: one YAML document, read again when it changes, without a restart.

    IS_ENABLED = dynconf.Value("PLUS_SERVICE_ENABLED", ma.fields.Boolean(), "Whether the service does anything.")
    configs = dynconf.Configs.open(path, [IS_ENABLED], experiments=[])
    configs.get(IS_ENABLED)

A new version with any mistake in it is refused whole, logged and counted; the last good one stays in force.
"""

from kit.dynconf.configs import Configs
from kit.dynconf.declarations import Experiment, Value
from kit.dynconf.document import Broken, load

__all__ = ["Broken", "Configs", "Experiment", "Value", "load"]
