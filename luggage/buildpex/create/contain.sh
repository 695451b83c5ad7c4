# Containers of the builder: fetch with a network, pack without one. A library of `create`.
# shellcheck shell=sh disable=SC2034,SC2153,SC2154

# contain NETWORK RESULT OPTION… IMAGE WORD…: in the builder, with stdin and stdout and nothing of the host.
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
    relaying='' container=''
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
    for file in "${PIP_CERT-}" "$(sed -n 's/^cert *[=:] *//p' "$settings"/*.conf 2> /dev/null | tail -n 1)" \
        "${REQUESTS_CA_BUNDLE-}" "${CURL_CA_BUNDLE-}" "${SSL_CERT_FILE-}"; do
        if [ -f "$file" ]; then cat "$file" > "$settings/ca.pem"; break; fi
        [ -z "$file" ] || warn warning "CA bundle $file: not a file, left out"
    done
    cp luggage/__init__.py luggage/errors.py "$stage/fetch/luggage/"
    cp luggage/buildpex/*.py luggage/buildpex/tools.txt "$stage/fetch/luggage/buildpex/"
    cp requirements.txt "$stage/fetch/"
    mkdir "$stage/fetch/wheels"
    # shellcheck disable=SC2016  # for another shell
    xargs -0 sh -c 'for f; do cp "$f" "$0" || exit; done' "$stage/fetch/wheels" < "$stage/private"
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
    mv build/.create.*/.files .; mkdir .signed; mv build/.create.*/.signed/* .signed/ 2> /dev/null || :; rm -r build
    wheels=$(python3 -B -m luggage.buildpex.collect --cache /wheels --kept --private wheels $locks) || exit
    printf "%s" "$have" > ../have
    python3 -B -m luggage.buildpex.boot --package "$package" --wheels "$wheels" --cache "$cache" -- \
        mkpex --wheels "$wheels" --output ../out --cache "$cache" --root /opt/root.tar --have ../have \
        --signed .signed "$@" --files .files > /dev/null & wait "$!"
    exec tar -c -f - -C ../out .
    '

# pack_into FOLDER PLACE CACHE HAVE OPTION…: without a network. Sets `unfetched` where wheels are missing.
pack_into() {
    folder=$1 place=$2 cache=$3 have=$4 unfetched=
    shift 4
    # One list, and options first: another tar than GNU's knows no more.
    (cd "$here" && find "build/${stage##*/}/.files" "build/${stage##*/}/.signed" -type f -print0) > "$stage/list"
    cat "$stage/.files" "$stage/private" >> "$stage/list"
    tar -c -f "$stage/in.tar" -C "$here" --null -T "$stage/list" ||
        die "create: what is to be packed cannot be read, see above"
    status=0
    # shellcheck disable=SC2086
    contain none "$stage/result" -v luggage-wheels:/wheels:ro "$@" "$builder" sh -euc "$PACK" pack \
        "$place" "$cache" "$PACKAGE" "$have" "$LOCKS" $origin || status=$?
    if [ "$status" = "$UNFETCHED" ]; then unfetched=yes; return; fi
    # Before anything is removed: a full disk shows as one.
    [ "$status" = 0 ] || has_told
    rm "$stage/in.tar"
    mkdir "$folder"
    tar -x -f "$stage/result" --no-same-owner -C "$folder" || die "create: what was packed cannot be written, see above"
    rm "$stage/result"
}

pack_as_ever() {
    doing pex packing
    pack_into "$stage/out" /tmp/pack /layers "$have" -v luggage-layers:/layers
}

pack() {
    # Where the image below is there, what it was made of need not come out again.
    have=
    if under=$(base_image "$stage/none") && ask "$under" '{{.Id}}' > /dev/null; then have=$(cat "$stage/base"); fi
    [ -z "$REFRESH" ] || fetch
    pack_as_ever
    if [ -n "$unfetched" ]; then fetch; pack_as_ever; fi
    [ -z "$unfetched" ] || die "wheels: gone from the volume luggage-wheels while they were needed" "./create --refresh"
    if ! ask "$(base_image "$stage/out")" '{{.Id}}' > /dev/null && ! is_whole "$stage/out"; then
        rm -r "$stage/out"
        have=
        pack_as_ever
    fi
    packed "$stage/out"
    say pex "build/$NAME.pex packed $(took), $(size "$stage/out/$NAME.pex")"
}

# is_whole FOLDER: what an image below is made of is in it, or in build and as it was.
is_whole() {
    for file in root.tar deps.tar luggage.tar; do
        [ -e "$1/$file" ] || [ "$(sum "build/$file")  $file" = "$(noted "$file")" ] || return 1
    done
}
