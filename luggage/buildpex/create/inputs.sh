# What goes in: locks, the sources that git knows, the last signature. A library of `create`.
# shellcheck shell=sh disable=SC2034,SC2154

list_inputs() {
    for file in $LOCKS; do
        [ -f "$file" ] || die "lock '$file': not found" "make it: python -m deploy lock"
    done
    if [ -e .git ] && ! command -v git > /dev/null; then
        die "git: not installed, and this is a checkout: what belongs to it is not known" "apt-get install git"
    fi
    commit='' dirty='' tag=unversioned
    : > "$stage/listed"
    if git rev-parse --git-dir > /dev/null 2> "$stage/said"; then
        # shellcheck disable=SC2086  # words
        git ls-files -z --cached --others --exclude-standard -- $SOURCES > "$stage/listed"
    elif [ -e .git ]; then
        die "git: $(head -n 1 "$stage/said")" \
            "a checkout of another user's? git config --global --add safe.directory …"
    fi
    if [ ! -s "$stage/listed" ]; then
        # shellcheck disable=SC2086
        find $SOURCES -name '.?*' -prune -o -name __pycache__ -prune -o ! -type d -print0 > "$stage/listed"
    elif commit=$(git rev-parse --verify --quiet 'HEAD^{commit}'); then
        # shellcheck disable=SC2086
        if [ -n "$(git status --porcelain --untracked-files=all -- $SOURCES create build.docker run.docker)" ] ||
            # Files that git was told not to look at.
            git ls-files -v -- $SOURCES create build.docker run.docker | grep -q '^[a-zS]'
        then
            dirty=yes
        fi
        tag=$(printf '%.12s' "$commit")${dirty:+-dirty}
        [ -z "$dirty" ] || result dirty "what is packed differs from the commit $(printf '%.12s' "$commit")"
    fi
    if [ -n "$dirty" ]; then
        # shellcheck disable=SC2086
        others=$(git ls-files --others --exclude-standard -- $SOURCES | awk '{ printf "%s%s", sep, $0; sep = ", " }')
        [ -z "$others" ] || warn warning "packed, though git does not track: $others"
    fi
    # A dirty tree may lack files that git knows.
    # shellcheck disable=SC2016  # for another shell
    xargs -0 sh -c 'for f; do if [ -e "$f" ] || [ -L "$f" ]; then printf "%s\0" "$f"; fi; done' sh \
        < "$stage/listed" > "$stage/.files"
    if tr '\0' '\n' < "$stage/.files" | grep '\.key$' > "$stage/said"; then
        die "$(sed 's/$/: a private key is never packed/' "$stage/said")" "move it out of what is packed"
    fi
    : > "$stage/private"
    if [ -d wheels ]; then
        find wheels -maxdepth 1 \( -name '*.whl' -o -name '*.tar.*' -o -name '*.tgz' -o -name '*.zip' \) -print0 \
            > "$stage/private"
    fi
    keep_signatures
    set -- ${commit:+--commit "$commit"} ${dirty:+--dirty}
    origin=$*
}

# inputs WORD…: everything that the result follows from, in one digest: build/.inputs carries it.
inputs() {
    {
        printf '%s\n' "$@" "$IMAGE" "$NAME" "$PACKAGE" "$commit" "$dirty"
        $SHA256 create build.docker run.docker
        (cd "$stage/.signed" && cat ./*.sig 2> /dev/null) | $SHA256
        # shellcheck disable=SC2086
        cat "$stage/.files" "$stage/private" | xargs -0 $SHA256
    } | $SHA256 | cut -c1-64
}
