# With docker or podman: a builder image, a pack step without a network, a runner image. A library of `create`.
# shellcheck shell=sh disable=SC2034,SC2153,SC2154

answers() {
    if ! command -v "$1" > /dev/null; then echo "$1: not found" > "$stage/said"; return 1; fi
    # podman's `version` needs nothing to work, docker's `info` neither.
    if [ "$1" = podman ]; then set -- podman info; else set -- docker version; fi
    "$@" > "$stage/out.txt" 2> "$stage/said"
}

choose_engine() {
    case ${ENGINE-} in
        docker | podman)
            answers "$ENGINE" || die "ENGINE=$ENGINE does not work: $(grep . "$stage/said" | tail -n 1)" \
                "install or start $ENGINE, or: unset ENGINE"
            engine=$ENGINE ;;
        none) ;;
        '') if answers docker; then engine=docker; elif answers podman; then engine=podman; fi ;;
        *) die "ENGINE=$ENGINE: there is no such engine" "one of docker, podman, none" 2 ;;
    esac
    # podman drops the health check from an image of its own format; it may answer to the name docker, too. With one
    # time for all, the same tars make the same image.
    options=
    if [ -n "$engine" ] && "$engine" --version | grep -qi podman; then
        options='--format docker --timestamp 315532800'
    fi
}

with_engine() {
    make_builder
    digest=$(inputs "$builder")
    image=$IMAGE:$tag former=
    if [ -z "$REFRESH" ] && published &&
        [ "$(ask "$image" '{{index .Config.Labels "luggage.seal"}}')" = "$(sum build/seal.json)" ]; then
        result pex "build/$NAME.pex reused: nothing has changed"
        result image "$image reused"
    else
        pack
        make_runner
    fi
    if [ -n "$CHECK" ]; then check_in_engine; fi
    say_signed
    "$engine" tag "$image" "$IMAGE:latest"
    forget "$former"
    result image "$image, $(($(ask "$image" '{{.Size}}') / 1000000)) MB, also $IMAGE:latest; now run:"
    now_run "$engine run --rm -e SECRET_KEY=\"\$(cat $from$KEY)\" -p $PORT:$PORT $IMAGE"
    echo "$image"
}

# --- images -------------------------------------------------------------------------------------------------

# What an engine says while it builds is shown where it fails. A proxy is given by its name: its value, which may
# hold a password, is in no argument.
build() {
    # shellcheck disable=SC2086
    "$engine" build $options --force-rm --build-arg http_proxy --build-arg https_proxy \
        --build-arg no_proxy "$@" > "$stage/log" 2>&1 & await || {
        over
        tail -n 40 "$stage/log" >&2
        die "$engine build: failed, see above"
    }
}
ask() { "$engine" image inspect --format "$2" "$1" 2> /dev/null; }
# An image that lost its last name is of no more use; where a container runs it, it stays.
forget() {
    if [ -n "$1" ] && [ "$(ask "$1" '{{len .RepoTags}}')" = 0 ]; then
        "$engine" image rm "$1" > /dev/null 2>&1 || :
    fi
}

make_builder() {
    BASE=${BASE:-debian:trixie-slim}
    builder=luggage-builder:$({ cat build.docker; echo "$BASE"; } | $SHA256 | cut -c1-12)
    mkdir "$stage/none"
    if [ -n "$REFRESH" ] || ! ask "$builder" '{{.Id}}' > /dev/null; then
        result builder "making $builder from $BASE: a minute or two, this once"
        doing builder "making it"
        if [ -n "$REFRESH" ]; then
            "$engine" pull -q "$BASE" > /dev/null 2>&1 || warn builder "$BASE cannot be pulled: using the one here"
        fi
        before=$(ask "$builder" '{{.Id}}') || :
        build ${REFRESH:+--no-cache} --build-arg BASE="$BASE" -t "$builder" -f build.docker "$stage/none"
        forget "$before"
        say builder "made $(took)"
    else
        say builder "$builder reused"
    fi
    builder=$(ask "$builder" '{{.Id}}')
}

# What stands below every commit of one lock is an image of its own: a commit adds two small layers to it.
base_image() {
    for file in root.tar deps.tar luggage.tar; do
        if [ -e "$1/$file" ]; then (cd "$1" && $SHA256 "$file"); else noted "$file"; fi
    done > "$stage/base"
    [ "$(wc -l < "$stage/base")" -eq 3 ] || return 1
    echo "luggage-deps:$({ cat "$stage/base"; sed '/^FROM base$/,$d' run.docker; } | $SHA256 | cut -c1-12)"
}

# make_base FOLDER TAG: from the tars in it and in build, without the builder's cache: BuildKit was seen to take the
# layer of another tar for this one's.
make_base() {
    mkdir -p "$stage/base-context"
    for file in root.tar deps.tar luggage.tar; do
        if [ -e "$1/$file" ]; then ln "$1/$file" "$stage/base-context/"; else ln "build/$file" "$stage/base-context/"; fi
    done
    sed '/^FROM base$/,$d' run.docker > "$stage/base.docker"
    build --no-cache -t "$2" -f "$stage/base.docker" "$stage/base-context"
    rm -r "$stage/base-context"
}

# make_upper FOLDER BASE: the image of a commit; its id is in $stage/id.
make_upper() {
    mkdir -p "$stage/upper"
    ln "$1/app.tar" "$1/seal.tar" "$stage/upper/"
    { echo "FROM $2"; sed '1,/^FROM base$/d' run.docker; } > "$stage/upper.docker"
    about=org.opencontainers.image
    build --no-cache --label "$about.title=$NAME" --label "$about.revision=${commit:-unversioned}" \
        --label "$about.version=$tag" --label "luggage.seal=$(sum "$1/seal.json")" --iidfile "$stage/id" \
        -f "$stage/upper.docker" "$stage/upper"
    rm -r "$stage/upper"
}

make_runner() {
    doing image "making it"
    under=$(base_image "$stage/out")
    how='one small layer'
    if ! ask "$under" '{{.Id}}' > /dev/null; then
        make_base "$stage/out" "$under"
        how='all layers'
    fi
    make_upper "$stage/out" "$under"
    former=$(ask "$image" '{{.Id}}') || :
    fresh=$(cat "$stage/id")
    publish
    "$engine" tag "$fresh" "$image"
    fresh=
    say image "built $(took): $how"
}
