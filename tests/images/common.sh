# Shared by the scripts of this folder. Sourced, not run; the caller stands in the root of the repository.
. scripts/common.sh

# Everything that is downloaded, made or run here lies in it.
images="$PROCTOR_CACHE/test-images"
mkdir -p "$images"

# Every image made here carries a hash of what it was made from, so that it is made again only when that changes.
input_label=proctor-test.inputs
# Where a stand-in for a public image says so.
stand_in_label=proctor-test.stand-in-for

fail() { echo "error: $*" >&2; exit 1; }

# Debian's packages of those programs that are not there.
need_packages() { # need_packages PROGRAM=PACKAGE…
  local pair missing=()
  for pair in "$@"; do command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "install ${missing[*]}: they are needed here and there is no apt-get"
  [ "$(id -u)" = 0 ] || fail "apt-get install ${missing[*]}: they are needed here (run as root, this script does it)"
  echo "installing ${missing[*]}"
  { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$images/apt.log" 2>&1 ||
    { tail -20 "$images/apt.log" >&2; fail "apt-get could not install ${missing[*]}; all of it is in $images/apt.log"; }
}

hash_of() { # hash_of PATH|=TEXT… : one hash of the names and contents of all files
  local one
  for one in "$@"; do
    case $one in
      =*) echo "$one" ;;
      *) find "$one" -type f -not -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum ;;
    esac
  done | sha256sum | cut -c1-16
}

image_label() { # image_label IMAGE LABEL : empty when there is no such image or label
  docker image inspect --format "{{ index .Config.Labels \"$2\" }}" "$1" 2>/dev/null || true
}

image_id() { docker image inspect --format '{{ .Id }}' "$1"; }

megabytes() { # of an image
  echo "$(( $(docker image inspect --format '{{ .Size }}' "$1") / 1000000 )) MB"
}

# Without a network when the base is our stand-in: it brings the packages. The real one needs a mirror.
build_image() { # build_image IMAGE INPUTS CONTEXT
  local network=default before log
  log="$images/build.log"
  [ -z "$(image_label debian:bookworm-slim "$stand_in_label")" ] || network=none
  before="$(image_id "$1" 2>/dev/null || true)"
  docker build --network "$network" --force-rm --tag "$1" --label "$input_label=$2" "$3" >"$log" 2>&1 ||
    { tail -30 "$log" >&2; fail "$1 could not be built; all of it is in $log"; }
  [ -z "$before" ] || docker image rm "$before" >/dev/null 2>&1 || true
  echo "$1 was made, $2: $(megabytes "$1")"
}
