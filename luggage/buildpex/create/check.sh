# Packed once more, differently: is every byte the same? A library of `create`.
# shellcheck shell=sh disable=SC2034,SC2153,SC2154

extra=''

check_in_engine() {
    doing check "packing once more, from nothing"
    once_more=yes
    pack_into "$stage/again" /var/tmp/elsewhere/again /var/tmp/cache '' \
        --user 4321:4321 --tmpfs /var/tmp:exec,mode=1777 --tmpfs /tmp:exec,mode=1777 \
        --hostname elsewhere -e TZ=Asia/Kathmandu -e HOME=/var/tmp -e LANG=C
    [ -z "$unfetched" ] || die "check: the wheels are gone from the volume luggage-wheels" "./create --refresh"
    once_more=
    same "$stage/again"
    same_layers
}

# The image made once more, of what was packed once more, has the same layers.
same_layers() {
    doing check "making the image once more"
    once=$(ask "$image" '{{json .RootFS.Layers}}')
    extra=luggage-deps:check-$run
    make_base "$stage/again" "$extra"
    make_upper "$stage/again" "$extra"
    fresh=$(cat "$stage/id")
    twice=$(ask "$fresh" '{{json .RootFS.Layers}}')
    [ "$once" = "$twice" ] || die "check: the image's layers differ: $once, then $twice"
    "$engine" image rm "$extra" > /dev/null 2>&1 || :
    forget "$fresh"
    fresh='' extra=''
    result check "the image's $(echo "$once" | tr -cd , | wc -c | awk '{ print $1 + 1 }') layers twice: the same"
}

check_on_host() {
    [ -d "$stage/venv" ] || { make_venv; fetch_on_host; }
    doing check "packing once more, from nothing"
    once_more=yes
    umask 077
    mkdir "$stage/elsewhere"
    pack_on_host "$stage/elsewhere/again" "$stage/elsewhere/cache" "$stage/elsewhere" TZ=Asia/Kathmandu
    umask 022
    once_more=
    same "$stage/elsewhere/again"
}

# same FOLDER: it has the artifacts that build has, to the last byte.
same() {
    packed "$1"
    differing=
    for file in $(cut -d ' ' -f 4 build/.inputs) $(cd "$1" && echo *); do
        case " $differing " in *" $file "*) continue ;; esac
        cmp -s "$1/$file" "build/$file" || differing="$differing $file"
    done
    if [ -n "$differing" ]; then
        rm -rf build/differing
        mv "$1" build/differing
        die "check: packed twice, and not the same:$differing" \
            "compare build with build/differing: python -m deploy diff build/$NAME.pex build/differing/$NAME.pex"
    fi
    result check "packed twice, differently: the same bytes of $(wc -l < build/.inputs | tr -d ' ') files"
}
