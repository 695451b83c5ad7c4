# What is said, and how: results always, steps on a terminal or with --verbose. A library of `create`.
# shellcheck shell=sh disable=SC2034,SC2154

usage() {
    cat << HELP
usage: ./create [--check] [--refresh] [--verbose] [--quiet] [--help]

Packs the app, its locked dependencies and its sealed secrets into build/$NAME.pex and, where there is a
container engine, into an image. The result's name goes to stdout, everything else to stderr: on a terminal each
step with its seconds, elsewhere what came of them.

  --check     then pack all of it once more, differently: from nothing, elsewhere, in another time zone, in a container
              as another user; and compare every byte
  --refresh   make the builder image anew, with Debian's latest updates, and fetch the wheels again
  --verbose   each step, without a terminal as well
  --quiet     warnings and errors alone, on a terminal as well

environment:
  ENGINE      docker, podman, or none for the pex alone; unset: the first of them that answers
  BASE        base image of the builder (debian:trixie-slim)
  PYTHON      without an engine: the Python to pack with and for (python3)
  pip's settings, proxies and CA bundles reach the step that fetches wheels, and no other.

examples:
  ./create
  ./create --check
  ENGINE=podman ./create
  image=\$(./create) && docker run --rm -e SECRET_KEY="\$(cat $KEY)" -p $PORT:$PORT "\$image"
HELP
}

CHECK='' REFRESH='' loud='' hushed='' shown='' once_more=''
if [ -t 2 ]; then loud=yes; fi
terminal=$loud

read_words() {
    for word in "$@"; do
        case $word in
            --check) CHECK=yes ;;
            --refresh) REFRESH=yes ;;
            -v | --verbose) loud=yes ;;
            -q | --quiet) loud='' hushed=yes ;;
            -h | --help) usage; exit ;;
            *) die "$word: there is no such option" "./create --help" 2 ;;
        esac
    done
    [ -n "$loud" ] || terminal=
}

# What is under way stands in a line of the terminal until something else is said.
doing() {
    begin=$(date +%s)
    if [ -n "$terminal" ]; then printf '\r\033[K%-8s %s …' "$1" "$2" >&2; shown=yes; fi
}
over() { if [ -n "$shown" ]; then printf '\r\033[K' >&2; shown=; fi; }
say() { if [ -n "$loud" ]; then over; printf '%-8s %s\n' "$1" "$2" >&2; fi; }
result() { if [ -z "$hushed" ]; then over; printf '%-8s %s\n' "$1" "$2" >&2; fi; }
warn() { over; printf '%-8s %s\n' "$1" "$2" >&2; }
took() { echo "in $(($(date +%s) - begin)) s"; }
size() { wc -c < "$1" | awk '{ if ($1 < 1e5) printf "%.1f kB", $1 / 1e3; else printf "%.1f MB", $1 / 1e6 }'; }
say_signed() {
    if [ -e build/seal.json.sig ]; then
        result seal "build/seal.json, with the signature that was made of it"
    else
        say seal "build/seal.json, unsigned: python3 -m deploy sign"
    fi
}
now_run() { if [ -z "$hushed" ]; then printf '\n    %s\n\n' "$1" >&2; fi; }

# Our own steps, in Python, tell their progress in lines that start `mkpex: `.
relay() {
    while IFS= read -r line; do
        case $line in
            'mkpex: warning'*) [ -n "$once_more" ] || warn warning "${line#mkpex: warning: }" ;;
            'mkpex: '*) [ -n "$once_more" ] || say mkpex "${line#mkpex: }" ;;
            *) over; printf '%s\n' "$line" >&2 ;;
        esac
    done
}

stage='' told=''
# A full disk is the cause of whatever else is told.
full() {
    [ -n "$stage" ] && {
        grep -q 'No space left' "$stage/said" ||
            df -Pk "$stage" | awk 'NR == 2 && $4 < 512 { few = 1 } END { exit !few }'
    } 2> /dev/null
}
die() {
    told=yes
    if full; then set -- "$here/build: no space is left on its disk" "make room: df -h $here/build"; fi
    over
    printf 'error: %s\n' "$1" >&2
    [ -z "${2-}" ] || printf 'hint: %s\n' "$2" >&2
    exit "${3-1}"
}
# Our own steps, in Python, say themselves what is wrong.
has_told() {
    full || told=yes
    exit 1
}
