# What the guests need from Debian, without installing it. Part of `.ci/guests`.
# shellcheck shell=bash

# Packages for the host. Without root, what is missing is found missing later.
install_tools() {
    local package missing=() packages=(cpio qemu-system-x86 qemu-system-arm)
    [[ "${chosen[*]}" == *riscv64* ]] && packages+=(qemu-system-misc opensbi)
    for package in "${packages[@]}"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" != 0 ]; then
        say "not root, so these are not installed: ${missing[*]}"
        return
    fi
    say "installing ${missing[*]}"
    apt-get update -qq || true
    # All at once, or else all that there are.
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return
    for package in "${missing[@]}"; do
        apt-get install -y -qq --no-install-recommends "$package" >/dev/null || say "no $package"
    done
}

# An apt state of our own: the system's mirror, more suites, more architectures.
set_up_apt() {
    local sites main security suite
    # shellcheck disable=SC2016 # apt expands it.
    sites=$(env -u APT_CONFIG apt-get indextargets --format '$(SITE)' | sort -u)
    main=$(grep -m1 -E '/debian/?$' <<<"$sites" || true)
    security=$(grep -m1 -E 'debian-security/?$' <<<"$sites" || true)
    if [ -z "$main" ]; then
        say "no Debian mirror among this system's apt sources"
        return 1
    fi
    mkdir -p "$cache"/apt/{state/lists/partial,cache/archives/partial} "$cache/unpacked"
    for suite in bookworm bookworm-backports trixie-backports; do
        echo "deb [arch=amd64,arm64] $main $suite main"
    done >"$cache/apt/sources.list"
    [[ "${chosen[*]}" == *riscv64* ]] &&
        echo "deb [arch=riscv64] $main trixie main" >>"$cache/apt/sources.list"
    for suite in bullseye-security bookworm-security; do
        echo "deb [arch=amd64,arm64] ${security:-${main%/}-security} $suite main"
    done >>"$cache/apt/sources.list"
    : >"$cache/apt/status"
    cat >"$cache/apt/apt.conf" <<END
Dir::State "$cache/apt/state";
Dir::State::status "$cache/apt/status";
Dir::Cache "$cache/apt/cache";
Dir::Etc::sourcelist "$cache/apt/sources.list";
Dir::Etc::sourceparts "-";
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; "riscv64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
END
    # The indexes are large; a day old is young enough.
    if [ -z "$(find "$cache/apt/updated" -mtime -1 2>/dev/null)" ] ||
        ! cmp -s "$cache/apt/updated" "$cache/apt/sources.list"; then
        say "reading the package indexes"
        # By default apt takes it for a success if it reached nobody.
        if our_apt apt-get update -qq -o APT::Update::Error-Mode=any >&2; then
            cp "$cache/apt/sources.list" "$cache/apt/updated"
        else
            say "some indexes could not be had"
        fi
        our_apt apt-cache gencaches -qq >&2 || true
    fi
}

# Container images tell apt to keep no binary cache, without which each question takes seconds.
our_apt() {
    APT_CONFIG=$cache/apt/apt.conf "$1" -o Dir::Cache::pkgcache=pkgcache.bin \
        -o Dir::Cache::srcpkgcache=srcpkgcache.bin "${@:2}"
}

# unpacked PACKAGE:ARCH SUITE [VERSION]: the folder with the package's files.
unpacked() {
    local wanted=$1/$2 folder work
    [ $# = 3 ] && wanted=$1=$3
    folder=$cache/unpacked/$2/${wanted%/*}
    if [ ! -d "$folder" ]; then
        work=$(mktemp -d "$cache/work.XXXXXX")
        if ! (cd "$work" && our_apt apt-get download -qq "$wanted" >/dev/null 2>&1) ||
            ! mkdir -p "$work/files" "$(dirname "$folder")" ||
            ! dpkg -x "$work"/*.deb "$work/files" || ! mv "$work/files" "$folder"; then
            rm -r "$work"
            return 1
        fi
        rm -r "$work"
    fi
    echo "$folder"
}

# depends PACKAGE:ARCH SUITE PATTERN: the first dependency whose name matches.
depends() {
    local shown
    shown=$(our_apt apt-cache show "$1/$2" 2>/dev/null | sed -n 's/^Depends://p')
    [[ $shown =~ $3 ]] && echo "${BASH_REMATCH[0]}"
}

# kernel ARCH SUITE: the image. Newer packages keep it in `linux-binary-*`.
kernel() {
    local name=linux-image-cloud-$1 image package folder found
    # Debian makes no cloud image of it.
    [ "$1" = riscv64 ] && name=linux-image-riscv64
    image=$(depends "$name:$1" "$2" 'linux-image-[0-9][^ ,]*') || return 1
    for package in "${image/linux-image/linux-binary}" "$image"; do
        if folder=$(unpacked "$package:$1" "$2"); then
            found=$(find "$folder" -name 'vmlinu[zx]*' -size +1M -print -quit)
            [ -n "$found" ] && echo "$found" && return
        fi
    done
    return 1
}

# busybox ARCH: the static program.
busybox() {
    local folder suite=bookworm
    [ "$1" = riscv64 ] && suite=trixie
    folder=$(unpacked "busybox-static:$1" "$suite") && find "$folder" -path '*/bin/busybox' -print -quit
}

# prepare NUMBER ARCH SUITE VERSION WHAT: fetches what that guest needs; `images[NUMBER]`, or its
# row that says what is missing.
prepare() {
    local number=$1 arch=$2 suite=$3 version=$4 what=$5 missing image=
    if ! command -v "${emulators[$arch]}" >/dev/null; then
        missing=${emulators[$arch]}
    elif ! command -v cpio >/dev/null; then
        missing=cpio
    elif ! image=$(kernel "$arch" "$suite"); then
        missing="kernel package in $suite"
    elif ! busybox "$arch" >/dev/null; then
        missing=busybox-static
    else
        missing=$(compiler "$arch") || image=
    fi
    images[number]=$image
    [ -n "$image" ] ||
        put_nothing "$number" "$arch" "$suite" "$version" "$what" "skipped: no $missing"
}
