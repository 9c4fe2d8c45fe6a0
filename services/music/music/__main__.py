"""`python -m music WORD`; `--help` lists the words."""

from kit import process
from music import app

process.main(app.SERVICE)
