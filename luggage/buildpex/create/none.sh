# Without an engine: the pex alone, in a throw-away virtual environment. A library of `create`.
# shellcheck shell=sh disable=SC2034,SC2154

# In a process group of its own, so that a signal reaches whatever a step has started.
alone() { exec "$python" -ISc 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@"; }

without_engine() {
    [ -n "${ENGINE-}" ] || result engine "neither docker nor podman answers: the pex alone, and no image"
    python=${PYTHON:-python3}
    command -v "$python" > /dev/null || die "$python: not found" "apt-get install python3 python3-venv"
    version_of=$("$python" -c 'import sys, sysconfig; print(
        sys.version_info >= (3, 11), sys.executable, sys.version, sysconfig.get_platform())' 2> "$stage/said") ||
        die "$python: does not start" "apt-get install python3 python3-venv"
    case $version_of in False*) die "$python: older than Python 3.11" "PYTHON=python3.11 ./create" ;; esac
    digest=$(inputs none "$version_of")
    if [ -z "$REFRESH" ] && published; then
        result pex "build/$NAME.pex reused: nothing has changed"
    else
        make_venv
        fetch_on_host
        doing pex "packing"
        pack_on_host "$stage/out" build/cache "$stage"
        packed "$stage/out"
        publish
        say pex "packed $(took)"
    fi
    if [ -n "$CHECK" ]; then check_on_host; fi
    say_signed
    result pex "build/$NAME.pex, $(size "build/$NAME.pex"); now run:"
    now_run "SECRET_KEY=\"\$(cat $from$KEY)\" ${from}build/$NAME.pex start"
    echo "${from}build/$NAME.pex"
}

make_venv() {
    "$python" -c 'import ensurepip, venv' 2> /dev/null ||
        die "$python: its venv is missing" "apt-get install python3-venv"
    doing venv "making an environment"
    # Room for what pip says is taken before: on a full disk it could not tell why it failed.
    printf '%8192s\n' '' > "$stage/said"
    # shellcheck disable=SC2016
    TMPDIR=$stage alone sh -c '"$1" -m venv --without-pip "$2" && exec "$2/bin/python" -Im ensurepip' venv \
        "$python" "$stage/venv" 1<> "$stage/said" 2>&1 & await ||
        die "$python -m venv: $(sed 's/ *$//' "$stage/said" | grep . | tail -n 1)" "apt-get install python3-venv"
}

fetch_on_host() {
    doing wheels "fetching"
    # shellcheck disable=SC2086
    alone "$stage/venv/bin/python" -B -m luggage.buildpex.collect ${REFRESH:+--again} --private wheels \
        --cache build/cache $LOCKS > "$stage/wheels" & await || has_told
    read -r how wheels < "$stage/wheels"
    say wheels "$how, in build/cache, $(took)"
}

# pack_on_host OUTPUT CACHE HOME [VARIABLE=VALUE]: the host's settings end here.
pack_on_host() {
    rm -f "$stage/told"; mkfifo "$stage/told"
    relay < "$stage/told" &
    relaying=$!
    packing=0
    # shellcheck disable=SC2086
    alone env -i PATH="$PATH" HOME="$3" TMPDIR="$3" LC_ALL=C.UTF-8 ${4-} \
        "$stage/venv/bin/python" -B -m luggage.buildpex.boot --package "$PACKAGE" --wheels "$wheels" --cache "$2" -- \
        mkpex --wheels "$wheels" --cache "$2" --signed "$stage/.signed" --output "$1" $origin \
        --files "$stage/.files" > /dev/null 2> "$stage/told" & await || packing=$?
    wait "$relaying" || :
    relaying=
    [ "$packing" = 0 ] || has_told
}
