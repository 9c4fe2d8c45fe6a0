"""`python -m maas WORD`; `--help` lists the words."""

from kit import process
from maas import app

process.main(app.SERVICE)
