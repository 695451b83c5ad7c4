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
    image=$IMAGE:$tag
    if [ -z "$REFRESH" ] && published &&
        [ "$(ask "$image" '{{index .Config.Labels "luggage.seal"}}')" = "$(sum build/seal.json)" ]; then
        result pex "build/$NAME.pex reused: nothing has changed"
        result image "$image reused"
    else
        pack
        make_runner
    fi
    if [ -n "$CHECK" ]; then check_in_engine; fi
    "$engine" tag "$image" "$IMAGE:latest"
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
    [ "$(wc -l < "$stage/base")" = 3 ] || return 1
    echo "luggage-deps:$({ cat "$stage/base"; sed '/^FROM base$/,$d' run.docker; } | $SHA256 | cut -c1-12)"
}

# make_base FOLDER: from the tars in it and in build, without the builder's cache: BuildKit was seen to take the layer
# of another tar for this one's.
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
        --label "$about.version=$version" --label "luggage.seal=$(sum "$1/seal.json")" --iidfile "$stage/id" \
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
    before=$(ask "$image" '{{.Id}}') || :
    fresh=$(cat "$stage/id")
    publish
    "$engine" tag "$fresh" "$image"
    fresh=
    forget "$before"
    say image "built $(took): $how"
}

# --- containers ---------------------------------------------------------------------------------------------

# contain NETWORK RESULT OPTION… -- WORD…: in the builder, with stdin and stdout and nothing of the host.
contain() {
    network=$1 result_at=$2
    shift 2
    container=$run
    rm -f "$stage/told"; mkfifo "$stage/told"
    relay < "$stage/told" &
    relaying=$!
    contained=0
    "$engine" run --rm -i --name "$run" --network "$network" --cap-drop ALL --security-opt no-new-privileges \
        "$@" < "$stage/in.tar" > "$result_at" 2> "$stage/told" & await || contained=$?
    wait "$relaying" || :
    container=
    return "$contained"
}

# Through stdin, into memory: no setting is an argument or a variable of the container, none is in a layer.
fetch() {
    doing wheels "fetching"
    settings=$stage/fetch/settings
    mkdir -p "$settings" "$stage/fetch/luggage/buildpex"
    env | grep -E '^(PIP_[A-Z_]*|https?_proxy|all_proxy|no_proxy|HTTPS?_PROXY|ALL_PROXY|NO_PROXY)=' \
        > "$settings/environ" || :
    count=1
    for file in /etc/xdg/pip/pip.conf /etc/pip.conf "${HOME-}/.pip/pip.conf" \
        "${XDG_CONFIG_HOME:-${HOME-}/.config}/pip/pip.conf" "${PIP_CONFIG_FILE-}"; do
        if [ "${PIP_CONFIG_FILE-}" != /dev/null ] && [ -f "$file" ]; then
            cat "$file" > "$settings/$count.conf"
            count=$((count + 1))
        fi
    done
    # In pip's order.
    for file in "${PIP_CERT-}" "$(sed -n 's/^cert *[=:] *//p' "$settings"/*.conf /dev/null | tail -n 1)" \
        "${REQUESTS_CA_BUNDLE-}" "${CURL_CA_BUNDLE-}" "${SSL_CERT_FILE-}"; do
        if [ -f "$file" ]; then cat "$file" > "$settings/ca.pem"; break; fi
        [ -z "$file" ] || warn warning: "CA bundle $file: not a file, left out"
    done
    cp luggage/__init__.py luggage/errors.py "$stage/fetch/luggage/"
    cp luggage/buildpex/*.py luggage/buildpex/tools.txt "$stage/fetch/luggage/buildpex/"
    cp requirements.txt "$stage/fetch/"
    mkdir "$stage/fetch/wheels"
    # shellcheck disable=SC2016  # for another shell
    xargs -0 sh -c 'for f; do cp "$f" "$0"; done' "$stage/fetch/wheels" < "$stage/private"
    tar -c -f "$stage/in.tar" -C "$stage/fetch" .
    # shellcheck disable=SC2016,SC2086
    contain bridge "$stage/result" --tmpfs /fetch:mode=0700 -v luggage-wheels:/wheels "$builder" sh -euc '
        cd /fetch; tar -x -f - --no-same-owner --no-same-permissions
        exec /opt/fetch/bin/python -B -m luggage.buildpex.collect --cache /wheels --settings settings \
            --private wheels "$@"
        ' fetch ${REFRESH:+--again} $LOCKS || has_told
    read -r how _ < "$stage/result"
    rm -rf "$stage/fetch" "$stage/in.tar"
    say wheels "$how, in the volume luggage-wheels, $(took)"
}

UNFETCHED=75  # the pack step's status where the wheels are not there yet
# shellcheck disable=SC2016
PACK='
    trap "exit 143" TERM
    place=$1 cache=$2 package=$3 have=$4 locks=$5; shift 5
    mkdir -p "$place/src" "$place/out"; cd "$place/src"; tar -x -f - --no-same-owner
    wheels=$(python3 -B -m luggage.buildpex.collect --cache /wheels --kept --private wheels $locks) || exit
    printf "%s" "$have" > ../have
    python3 -B -m luggage.buildpex.boot --package "$package" --wheels "$wheels" --cache "$cache" -- \
        mkpex --wheels "$wheels" --output ../out --cache "$cache" --root /opt/root.tar --have ../have \
        --signed .signed "$@" --files .files > /dev/null & wait "$!"
    exec tar -c -f - -C ../out .
    '

# pack_into FOLDER PLACE CACHE HAVE OPTION…: without a network.
pack_into() {
    folder=$1 place=$2 cache=$3 have=$4
    shift 4
    tar -c -f "$stage/in.tar" -C "$stage" .files .signed -C "$here" --null -T "$stage/.files" -T "$stage/private"
    status=0
    # shellcheck disable=SC2086
    contain none "$stage/result" -v luggage-wheels:/wheels:ro "$@" "$builder" sh -euc "$PACK" pack \
        "$place" "$cache" "$PACKAGE" "$have" "$LOCKS" $origin || status=$?
    rm "$stage/in.tar"
    [ "$status" != "$UNFETCHED" ] || return "$UNFETCHED"
    [ "$status" = 0 ] || has_told
    mkdir "$folder"
    tar -x -f "$stage/result" --no-same-owner -C "$folder"
    rm "$stage/result"
}

pack() {
    # Where the image below is there, what it was made of need not come out again.
    have=
    if under=$(base_image "$stage/none") && ask "$under" '{{.Id}}' > /dev/null; then have=$(cat "$stage/base"); fi
    [ -z "$REFRESH" ] || fetch
    doing pex packing
    pack_as_ever() { pack_into "$stage/out" /tmp/pack /layers "$have" -v luggage-layers:/layers; }
    pack_as_ever || {
        [ "$?" = "$UNFETCHED" ] || exit 1
        fetch
        doing pex packing
        pack_as_ever
    }
    packed "$stage/out"
    say pex "build/$NAME.pex packed $(took), $(size "$stage/out/$NAME.pex")"
}

# --- once more, differently ---------------------------------------------------------------------------------

check_in_engine() {
    doing check "packing once more, from nothing"
    once_more=yes
    rm -rf "$stage/again"
    pack_into "$stage/again" /var/tmp/elsewhere/again /var/tmp/cache '' \
        --user 4321:4321 --tmpfs /var/tmp:exec,mode=1777 --tmpfs /tmp:exec,mode=1777 \
        --hostname elsewhere -e TZ=Asia/Kathmandu -e HOME=/var/tmp -e LANG=C || {
            [ "$?" = "$UNFETCHED" ] && die "check: the wheels are gone from the volume" "./create --refresh"
            exit 1
        }
    once_more=
    same "$stage/again"
    [ ! -e "$stage/again/app.tar" ] || same_layers
}

# The same layers, and where the engine's image has no clock in it the same image.
same_layers() {
    doing check "making the image once more"
    once=$(ask "$image" '{{json .RootFS.Layers}}')
    make_base "$stage/again" "luggage-deps:check-$run"
    make_upper "$stage/again" "luggage-deps:check-$run"
    fresh=$(cat "$stage/id")
    twice=$(ask "$fresh" '{{json .RootFS.Layers}}')
    "$engine" image rm "luggage-deps:check-$run" > /dev/null 2>&1 || :
    [ "$once" = "$twice" ] || die "check: the image's layers differ: $once, then $twice"
    forget "$fresh"
    fresh=
    result check "the image's $(echo "$once" | tr -cd , | wc -c | awk '{ print $1 + 1 }') layers twice: the same"
}
