#!/bin/sh
# Makes requirements.lock anew from every pyproject.toml: exact versions with hashes, and no package host in it.
set -eu
cd "$(dirname "$0")/../.."
uv=${UV:-.venv/bin/uv}
"$uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 --group dev \
  --no-emit-package taxi-kit --no-emit-package taxi-clients --no-emit-package taxi-testkit \
  --custom-compile-command "make lock" -o requirements.lock "$@" \
  pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml deploy/local/pyproject.toml deploy/sandbox/pyproject.toml tests-integration/pyproject.toml
