# build/: whatever ends `create`, nothing half-made is left in it. A library of `create`.
# shellcheck shell=sh disable=SC2034,SC2154

SHA256='shasum -a 256'
if command -v sha256sum > /dev/null; then SHA256=sha256sum; fi
sum() { $SHA256 < "$1" | cut -c1-64; }
engine='' child='' container='' fresh='' relaying=''
LAYERS='root.tar deps.tar luggage.tar app.tar seal.tar'

begin_build() {
    # What to run next is told as it is to be typed where the caller stands.
    from=
    [ "$here" = "$(pwd)" ] || from=$here/
    cd "$here" || exit
    # In a hook of git's these name another repository; and reading must not write into .git.
    unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
    # The second keeps macOS from adding files of its own to a tar.
    export GIT_OPTIONAL_LOCKS=0 COPYFILE_DISABLE=1
    umask 022
    mkdir -p build || die "$here/build: cannot be made"
    find build -maxdepth 1 -name '.create.*' -mmin +1440 -exec rm -rf {} +
    stage=$(mktemp -d "$here/build/.create.XXXXXX") || die "$here/build: cannot be written to"
    run=luggage-create-$(basename "$stage" | tr -cd '[:alnum:]')
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    trap 'exit 141' PIPE
}

# shellcheck disable=SC2317  # called by the trap
cleanup() {
    status=$?
    trap '' INT TERM HUP PIPE
    # A step of ours tells its error itself; a full disk may have kept it from that, and ends any other command.
    if [ "$status" -gt 0 ] && [ "$status" -lt 128 ] && [ -z "$told" ]; then
        if full; then (die) || :; else (die "create: a command failed, see above") || :; fi
    fi
    [ -z "$child" ] || kill -s TERM -- "-$child" 2> /dev/null || kill "$child" 2> /dev/null || :
    [ -z "$container" ] || "$engine" stop -t 3 "$container" > /dev/null 2>&1 || :
    if [ -n "$child" ]; then
        wait "$child" 2> /dev/null || :
        # What it started may write still.
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            kill -s 0 -- "-$child" 2> /dev/null || break
            sleep 0.2
        done
        kill -s KILL -- "-$child" 2> /dev/null || :
    fi
    if [ -n "$container" ]; then
        # An engine that was asked to make it may do so when nobody waits for it any more.
        for _ in 1 2 3 4 5; do
            "$engine" rm -f "$container" > /dev/null 2>&1 || :
            sleep 0.2
        done
    fi
    [ -z "$extra" ] || "$engine" image rm "$extra" > /dev/null 2>&1 || :
    [ -z "$fresh" ] || forget "$fresh"
    [ -z "$relaying" ] || kill "$relaying" 2> /dev/null || :
    rm -rf "$stage"
    exit "$status"
}

# A signal ends a `wait` at once, but not a command in front of it.
await() {
    child=$!
    status=0
    wait "$child" || status=$?
    child=
    return "$status"
}

# A signature is kept by the seal it is of: another commit, and back again, does not lose it.
keep_signatures() {
    if [ -f build/seal.json ] && [ -f build/seal.json.sig ]; then
        mkdir -p build/signatures
        cp build/seal.json.sig "build/signatures/$(sum build/seal.json).sig"
    fi
    mkdir "$stage/.signed"
    if [ -d build/signatures ]; then find build/signatures -name '*.sig' -exec cp {} "$stage/.signed/" \;; fi
}

# What mkpex.py calls otherwise than this file is not found.
packed() {
    [ -f "$1/$NAME.pex" ] || die \
        "create calls it $NAME, but $PACKAGE/mkpex.py made $(cd "$1" && echo *.pex)" \
        "give NAME at the top of create, and the PACK in $PACKAGE/mkpex.py, the same name"
}

# Artifacts appear whole, and last the note of what they were made from: a line `INPUTS SHA256  FILE` for each.
publish() {
    made=$(cd "$stage/out" && echo *)
    {
        # What was left out of the result is here already, and known.
        for file in $LAYERS; do
            [ -e "$stage/out/$file" ] || [ ! -e "$stage/out/app.tar" ] || noted "$file"
        done
        # shellcheck disable=SC2086  # words
        (cd "$stage/out" && $SHA256 $made)
    } | sed "s/^/$digest /" > "$stage/note"
    # What an earlier build made and this one does not would be another's.
    for file in $LAYERS seal.json.sig $(sed 's/.* //' build/.inputs 2> /dev/null); do
        grep -q " $file\$" "$stage/note" || rm -f "build/${file##*/}"
    done
    rm -f build/.inputs
    for file in $made; do mv -f "$stage/out/$file" "build/$file"; done
    mv -f "$stage/note" build/.inputs
}
published() {
    [ -s build/.inputs ] && ! grep -qv "^$digest " build/.inputs &&
        (cd build && cut -d ' ' -f 2- .inputs | $SHA256 -c - > /dev/null 2>&1)
}
# noted FILE: `SHA256  FILE` of the last build, unless it is gone or was changed since.
noted() {
    if [ -e "build/$1" ] && [ -z "$(find "build/$1" -newer build/.inputs)" ]; then
        sed -n "s/^[0-9a-f]* \([0-9a-f]*  $1\)\$/\1/p" build/.inputs
    fi 2> /dev/null
}
