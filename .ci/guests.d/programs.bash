# Static programs for the guests' processors. Part of `.ci/guests`.
# shellcheck shell=bash

# cargo_for ARCH ARGUMENTS: cargo that makes static programs for that architecture.
cargo_for() {
    local arch=$1 root=$cache/rustc-arm64 others=0
    shift
    local -x RUSTFLAGS="-C target-feature=+crt-static"
    # Emulation is slow, so our own code is optimised; to optimise others' takes longer than it
    # saves. But the jumps in RISC-V's static libc reach 1 MiB: a std without optimisation is more.
    [ "$arch" = riscv64 ] && others='"s"'
    local -x CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_INCREMENTAL=0
    set -- "$@" --config "profile.dev.package.\"*\".opt-level=$others" \
        --target "${triples[$arch]}"
    # Folders of their own: cargo would not build for two at a time in one.
    local -x CARGO_TARGET_DIR=$target/$arch
    # No C compiler for `urcu-benches`: it would link with liburcu for a comparison.
    local -x CC=false
    case $arch in
    amd64)
        cargo "$@"
        ;;
    arm64)
        LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/usr/lib RUSTC=$root/usr/bin/rustc \
            CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$cache/gcc-arm64/linker-gcc cargo "$@"
        ;;
    riscv64)
        RUSTC_BOOTSTRAP=1 __CARGO_TESTS_ONLY_SRC_ROOT=$(rust_source) \
            CARGO_TARGET_RISCV64GC_UNKNOWN_LINUX_GNU_LINKER=$cache/gcc-riscv64/linker-gcc \
            cargo -Zbuild-std=std,panic_abort,panic_unwind,test,proc_macro "$@"
        ;;
    esac
}

# The sources of this compiler's std, where Debian has a package of them.
rust_source() {
    local release version folder suite=trixie-backports
    release=$(rustc --version | cut -d' ' -f2)
    version=$(our_apt apt-cache show rust-src:amd64 2>/dev/null |
        sed -n "s/^Version: \(${release}[+-].*\)/\1/p" | awk 'NR == 1')
    [ -n "$version" ] && folder=$(unpacked rust-src:amd64 "$suite" "$version") &&
        echo "$folder/usr/src/rustc-$release/library"
}

# linker ARCH: unpacks `gcc-ARCH/linker-gcc`, or else says what is missing. Debian's own cross compilers
# cannot be installed beside gcc-multilib, and gcc finds its parts from where it lies.
linker() {
    local root=$cache/gcc-$1 gnu=aarch64-linux-gnu package folder
    [ "$1" = riscv64 ] && gnu=riscv64-linux-gnu
    [ -d "$root" ] && return
    rm -rf "$root.part"
    mkdir -p "$root.part"
    for package in "gcc-12-$gnu" "binutils-$gnu" "libgcc-12-dev-$1-cross" "libc6-dev-$1-cross"; do
        if ! folder=$(unpacked "$package:amd64" bookworm) || ! cp -al "$folder/." "$root.part"; then
            echo "$package"
            return 1
        fi
    done
    cat >"$root.part/linker-gcc" <<END
#!/bin/sh
LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu exec $root/usr/bin/$gnu-gcc-12 "\$@"
END
    chmod +x "$root.part/linker-gcc"
    mv "$root.part" "$root"
}

# compiler ARCH: whether there is one, else what is missing. Debian has a std for AArch64 as a
# package, and a compiler of the same version beside it. For RISC-V 64 std is compiled.
compiler() {
    local root=$cache/rustc-arm64 suite=bookworm-security std llvm package folder
    [ "$1" = amd64 ] && return
    linker "$1" || return 1
    if [ "$1" = riscv64 ]; then
        rust_source >/dev/null && return
        echo "rust-src $(rustc --version | cut -d' ' -f2)"
        return 1
    fi
    [ -d "$root" ] && return
    if ! std=$(depends libstd-rust-web-dev:amd64 "$suite" 'libstd-rust-web-[0-9.]+') ||
        ! llvm=$(depends "$std:amd64" "$suite" 'libllvm[0-9]+'); then
        echo libstd-rust-web-dev
        return 1
    fi
    rm -rf "$root.part"
    mkdir -p "$root.part"
    for package in rustc-web:amd64 "$std:amd64" "$llvm:amd64" libstd-rust-web-dev:{amd64,arm64}; do
        if ! folder=$(unpacked "$package" "$suite") || ! cp -al "$folder/." "$root.part"; then
            echo "$package"
            return 1
        fi
    done
    mv "$root.part" "$root"
}

# build ARCH: the programs, into `programs-ARCH`; there, `done` or `failed`.
build() {
    local out=$target/programs-$1
    say "building for $1"
    mkdir -p "$out/tests" "$out/bin"
    if programs "$1" "$out"; then
        touch "$out/done"
        say "built for $1"
    else
        touch "$out/failed"
        say "not built for $1"
    fi
}

# programs ARCH FOLDER
#
# With delays inside the sequences, without which tests show little; only `single-step` runs what
# is shipped.
programs() {
    local arch=$1 out=$2 built=$target/$1/${triples[$1]}/debug package program name listing
    local delays="--cfg rseq_ops_delay_injection"
    for package in rseq-ops urcu-percpu; do
        if ! listing=$(RUSTFLAGS=$delays cargo_for "$arch" test --no-run -p "$package" --lib --tests 2>&1); then
            echo "$listing" >&2
            return 1
        fi
        while read -r program; do
            name=$(basename "${program%-*}")
            # Both packages have a program of this name.
            [ "$package-$name" = rseq-ops-suite ] && name=rseq-ops-suite
            # These compile.
            [ "$name" = compile_fail ] || cp "$program" "$out/tests/$name" || return 1
        done < <(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' <<<"$listing")
    done
    RUSTFLAGS=$delays cargo_for "$arch" build -q -p rseq-ops --example aborts >&2 &&
        cp "$built/examples/aborts" "$out/bin/aborts-delays" &&
        RUSTFLAGS=$delays cargo_for "$arch" build -q -p urcu-benches --bin rcu-torture >&2 &&
        cp "$built/rcu-torture" "$out/bin" &&
        cargo_for "$arch" build -q -p rseq-ops --example aborts >&2 &&
        cp "$built/examples/aborts" "$out/bin/aborts"
}
