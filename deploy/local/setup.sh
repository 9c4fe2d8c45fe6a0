#!/usr/bin/env bash
# Makes .venv from requirements.lock, every package checked against its hash; does nothing when it is already right.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

venv=.venv
log=.cache/setup.log
stamp=$venv/made-from

fail() {
  echo "setup: $*" >&2
  exit 1
}

state() {
  { pwd; cat requirements.lock pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml deploy/*/pyproject.toml \
    tests-integration/pyproject.toml deploy/local/setup.sh; } 2>/dev/null | sha256sum | cut -d' ' -f1
}

is_made() {
  [ -x $venv/bin/python ] && [ -f $stamp ] && [ "$(cat $stamp)" = "$(state)" ]
}

# step WHAT COMMAND…: the command's output goes to the log; when it fails, its end is shown under one sentence.
step() {
  local what=$1 began=$SECONDS
  shift
  if ! "$@" >>$log 2>&1; then
    echo "setup: $what failed; the whole story is in $log, its end is:" >&2
    tail -n 12 $log | cut -c1-300 | sed 's/^/  /' >&2
    exit 1
  fi
  echo "setup: $what, $((SECONDS - began)) s"
}

# The first Python that the project supports.
find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# Debian packages without which psycopg2 cannot be built or the environment not be made.
missing_packages() {
  local python=$1 include
  command -v gcc >/dev/null || echo gcc libc6-dev
  include=$(pg_config --includedir 2>/dev/null) && [ -f "$include/libpq-fe.h" ] || echo libpq-dev
  "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    echo python3-dev
  "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

install_packages() {
  [ $# -eq 0 ] && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    fail "missing here: $*; install them (Debian: apt-get install $*), then try again"
  fi
  export DEBIAN_FRONTEND=noninteractive
  step "apt-get update" apt-get update -q
  step "installed $*" apt-get install -q -y --no-install-recommends "$@"
}

# A virtual environment that is whole and of a Python that we support; a half-made one is made anew.
make_venv() {
  if ! $venv/bin/python -c 'import pip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
    step "made $venv" "$1" -m venv --clear $venv
  fi
}

install_uv() {
  local wanted
  wanted=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.lock)
  [ "$($venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" = "$wanted" ] && return
  "$1" deploy/local/lockfile.py uv >.cache/uv.txt
  step "installed uv $wanted" $venv/bin/python -m pip install --quiet --require-hashes --no-deps -r .cache/uv.txt
}

members() {
  local file
  for file in libs/*/pyproject.toml services/*/pyproject.toml deploy/*/pyproject.toml tests-integration/pyproject.toml; do
    echo -e "-e\n$(dirname "$file")"
  done
}

if [ "${1:-}" = --key ]; then # under which a CI may keep .venv
  state
  exit
fi
is_made && exit 0
mkdir -p .cache
exec 9>.cache/setup.lock
if command -v flock >/dev/null; then flock 9; fi
is_made && exit 0
: >$log

if [ ! -w "${HOME:-/nonexistent}" ]; then
  export HOME=$PWD/.cache/home
  mkdir -p "$HOME"
fi
export UV_PYTHON=$PWD/$venv/bin/python UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 UV_NO_CONFIG=1
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
  export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1} # the machine may trust a proxy of its own
fi
export VIRTUAL_ENV=$PWD/$venv PIP_DISABLE_PIP_VERSION_CHECK=1

python=$(find_python) || fail "Python 3.11, 3.12 or 3.13 is missing; install one (Debian: apt-get install python3 python3-venv)"
"$python" deploy/local/lockfile.py || exit 1
# shellcheck disable=SC2046  # words are meant
install_packages $(missing_packages "$python")
rm -f $stamp
make_venv "$python"
install_uv "$python"
step "installed the packages of requirements.lock" $venv/bin/uv pip sync --require-hashes requirements.lock
mapfile -t editable < <(members)
step "installed our own packages" $venv/bin/uv pip install --no-deps "${editable[@]}"
state >$stamp
