# Shared by the scripts: where caches lie, how a step is shown. Sourced, not run.

# Outside of the checkout, so that a clean clone does not download everything again.
export PROCTOR_CACHE="${PROCTOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/proctor}"
mkdir -p "$PROCTOR_CACHE"

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

need() { # need PROGRAM WHAT-TO-DO
  command -v "$1" >/dev/null || { echo "error: $1 is not there: $2" >&2; exit 1; }
}

need cargo "install Rust (rustup reads rust-toolchain.toml and does the rest)"
need python3 "apt-get install python3 python3-venv"
python3 -c 'import ensurepip, venv' 2>/dev/null || { echo "error: python3 cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
need cc "apt-get install build-essential"

need_package() { # need_package PROGRAM PACKAGE: installs it where that can be done, says so and ends where not
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then need "$1" "apt-get install $2"; fi
  { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$2"; } >/dev/null ||
    { echo "error: apt-get cannot install $2" >&2; exit 1; }
}

need_bubblewrap() { # for the tests: without it they would test a weaker machine than users have
  need_package bwrap bubblewrap
  bwrap --unshare-user-try --unshare-pid --unshare-net --ro-bind / / --proc /proc --dev /dev true ||
    { echo "error: bubblewrap does not work here: namespaces are forbidden (in a container: see docs/sandbox.md)" >&2; exit 1; }
}
