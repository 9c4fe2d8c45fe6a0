"""`python -m maas_authproxy WORD`; `--help` lists the words."""

import sys

from kit import process
from maas_authproxy import app
from maas_authproxy.keys import commands as keys

if sys.argv[1:2] == [keys.NEW_KEY_WORD]:
    # Keys are made where nothing but the secret is at hand: on an operator's machine, not beside the database.
    sys.exit(keys.main_new_key(sys.argv[2:]))
process.main(app.SERVICE)
