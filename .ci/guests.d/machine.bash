# The emulated machine and what runs in it. Part of `.ci/guests`.
# shellcheck shell=bash

# initramfs ARCH WHAT: packs the programs and an init that runs them; the archive's name.
initramfs() {
    local arch=$1 what=$2 root archive=$target/$1-$2.cpio.gz
    root=$(mktemp -d "$cache/work.XXXXXX")
    mkdir -p "$root"/{dev,proc,sys,tmp,tests}
    cp -r "$target/programs-$arch/bin" "$root"
    cp "$(busybox "$arch")" "$root/bin/busybox"
    [ "$what" = tests ] && cp "$target/programs-$arch"/tests/* "$root/tests"
    {
        init
        "run_$what"
        # shellcheck disable=SC2016 # The guest expands it.
        printf 'echo GUEST done runs=$runs\npoweroff -f\n'
    } >"$root/init"
    chmod 755 "$root/init"
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$archive"
    rm -r "$root"
    echo "$archive"
}

# The guest's first process. Every line that counts here begins with `GUEST`.
init() {
    cat <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
echo "GUEST kernel=$(uname -r)"
runs=0
# run SECONDS NAME COMMAND...
run() {
    limit=$1 name=$2 runs=$((runs + 1))
    shift 2
    read start rest </proc/uptime
    timeout -s KILL "$limit" "$@" >/tmp/out 2>&1
    rc=$?
    read end rest </proc/uptime
    sed "s/^/$name| /" /tmp/out
    echo "GUEST rc=$rc $name (from $start to $end s)"
}
# tests NAME FILTER...
tests() {
    name=$1
    shift
    run "$long" "$name" "/tests/$name" --test-threads=2 "$@"
}
END
}

# The emulated machine is slow, and its host may be busy: more time where tests have a limit, and in
# the short form less of what takes a given time for each of many combinations. Of the suite, what
# kernels differ in: registration, restarts, membarrier, signals, migration, fork, hotplug.
run_tests() {
    if [ "$short" = 1 ]; then
        cat <<'END'
export RSEQ_OPS_STRESS_MS=300 URCU_TEST_DEADLINE=100
long=300
run 60 delays aborts-delays 2
tests rseq_ops
tests rseq-ops-suite append:: copy:: counts:: descriptors:: membarrier:: registration::own:: \
    registration::kinds:: percpu::counter:: percpu::memory:: percpu::stack::
tests suite torture:: sections:: registration:: signals:: migration:: tls:: fork::other_threads:: fork::leftovers:: fork::user_code:: refusal::
END
        own_registration sections:: registration:: signals:: migration:: tls::
    else
        # Skipped is what an initramfs has not: a compiler, other programs.
        echo 'skips="--skip environments:: --skip compile --skip trybuild --skip copies:: --skip documentation::"'
        # Under RISC-V no delay makes readers see the wrong barrier, and we do not know why.
        [ "$arch" = riscv64 ] && echo 'skips="$skips --skip a_barrier_that_restarts_nothing"'
        cat <<'END'
export RSEQ_OPS_STRESS_MS=1000 URCU_TEST_DEADLINE=200
long=900
run 60 delays aborts-delays 4
run 60 plain aborts-delays 4 20000 plain
for test in /tests/*; do
    tests "$(basename $test)" $skips
done
END
        own_registration '$skips'
    fi
    # The RISC-V kernel locks up hard in qemu 7.2 when CPUs come and go.
    [ "$arch" = riscv64 ] || cat <<'END'
export TEST_CPU_HOTPLUG=1
for test in cpu_hotplug suite; do
    run 150 "hotplug-$test" /tests/$test hotplug --nocapture
done
END
    cat <<'END'
scenarios=$(rcu-torture --list | sed '/^controls/,$d; s/^  \([^ ]*\).*/\1/p; d')
END
    [ "$arch" = riscv64 ] && echo 'scenarios=$(echo "$scenarios" | grep -vx cpu-hotplug)'
    [ "$short" = 1 ] && echo 'scenarios="steady guards snapshots signal-storm migration-storm
    delay-injection per-cpu mixed-readers cpu-hotplug"'
    cat <<'END'
for scenario in $scenarios; do
    run 200 torture-$scenario rcu-torture --seconds 2 --patience 90 --scenario $scenario
done
END
}

# own_registration FILTER...: where libc does not register threads: which kind of registration ours
# is, and those tests that registrations matter to; of the suite those of the filter.
own_registration() {
    cat <<END
export GLIBC_TUNABLES=glibc.pthread.rseq=0
run 60 own /tests/rseq-ops-suite kinds::child --include-ignored --nocapture
run "\$long" own-rseq_ops /tests/rseq_ops --test-threads=2
run "\$long" own-rseq-ops-suite /tests/rseq-ops-suite --test-threads=2 copy:: counts:: \
    registration:: percpu::counter:: percpu::stack:: --skip environments::
run "\$long" own-suite /tests/suite --test-threads=2 $*
unset GLIBC_TUNABLES
END
}

# As shipped: no delays. The pause is for whoever switches single-stepping on.
run_single-step() {
    echo 'sleep 2; run 120 single-step aborts 15 0'
}

# emulate ARCH VERSION WHAT KERNEL INITRAMFS LOG OPTIONS
emulate() {
    local arch=$1 version=$2 what=$3 kernel=$4 initramfs=$5 log=$6 emulator console=ttyS0 monitor=()
    local parameters="quiet panic=-1"
    shift 6
    case $arch in
    amd64)
        # qemu 7.2 computes wrong flags for CMPXCHG16B, of which newer kernels die sooner or later.
        emulator=(-cpu "max,-cx16" -M q35)
        # It counts on timer interrupts within milliseconds, whatever else the host does.
        parameters+=" no_timer_check"
        ;;
    arm64)
        # The real pointer authentication algorithm takes most of the time when it is emulated.
        emulator=(-cpu "max,pauth-impdef=on" -M "virt,gic-version=3")
        console=ttyAMA0
        ;;
    riscv64)
        emulator=(-cpu rv64 -M virt)
        ;;
    esac
    if [ "$what" = single-step ]; then
        rm -f "$log".*
        mkfifo "$log.in" "$log.out"
        monitor=(-chardev "pipe,id=monitor,path=$log" -mon chardev=monitor)
        step_when_up "$log" &
    fi
    rm -f "$log"
    unless_it_boots "$log" >/dev/null 2>&1 &
    timeout --foreground -k 5 "$limit" "${emulators[$arch]}" "${emulator[@]}" \
        -accel tcg,thread=multi "${monitor[@]}" -m 1024 "$@" -nographic -no-reboot -nodefaults \
        -pidfile "$log.pid" -serial stdio -kernel "$kernel" -initrd "$initramfs" \
        -append "console=$console $parameters" </dev/null 2>&1 | stdbuf -oL tr -d '\r' >"$log"
    kill $! 2>/dev/null || true
    rm -f "$log.in" "$log.out" "$log.pid"
}

# unless_it_boots LOG: ends the emulator if the kernel hangs before anything of ours runs.
unless_it_boots() {
    sleep "$boot_limit"
    grep -qs 'GUEST kernel=' "$1" || kill "$(cat "$1.pid")"
}

# step_when_up LOG: one instruction per translation block, when the guest has booted: that alone
# would take minutes.
step_when_up() {
    until grep -qs 'GUEST kernel=' "$1"; do
        [ -p "$1.in" ] || return
        sleep 0.2
    done
    # The command's name until qemu 8.1, and its name since.
    printf 'singlestep on\none-insn-per-tb on\n' 1<>"$1.in"
}

# guest NUMBER IMAGE ARCH SUITE VERSION WHAT OPTIONS
guest() {
    local number=$1 image=$2 arch=$3 suite=$4 version=$5 what=$6 archive log boot start
    local programs=$target/programs-$arch
    shift 6
    log=$cache/logs/$arch-$version-$what.log
    until [ -e "$programs/done" ]; do
        if [ -e "$programs/failed" ]; then
            put_nothing "$number" "$arch" "$suite" "$version" "$what" "FAILED: it does not build"
            return
        fi
        sleep 1
    done
    archive=$(initramfs "$arch" "$what")
    # Under qemu 7.2 a CPU may run instructions that another one has just replaced. The kernel
    # replaces its own while it boots, and dies of it now and then: before anything of ours runs.
    for boot in 1 2 3 4 5; do
        say "$arch $version $what starts"
        start=$SECONDS
        emulate "$arch" "$version" "$what" "$image" "$archive" "$log" "$@" || true
        grep -q 'GUEST kernel=' "$log" && break
        say "$arch $version $what: the kernel did not boot ($boot)"
    done
    report "$number" "$arch" "$version" "$what" "$log" $((SECONDS - start))
}

# value LOG RUN PATTERN: the first number (or word) of a line of that run, or `-`.
value() { sed -n "/^$2| .*$3=/{s/.*$3=\([A-Za-z0-9]*\).*/\1/p;q}" "$1" | grep . || echo -; }

# total LOG PATTERN: the sum of what the pattern's group matches in all lines, `-` if none does.
total() { sed -n "s/.*$2.*/\1/p" "$1" | awk '{ sum += $1 } END { print NR ? sum : "-" }'; }

# report NUMBER ARCH VERSION WHAT LOG TIME: the guest's row.
report() {
    local number=$1 arch=$2 what=$4 log=$5 run=delays kernel aborts outcome=ok failures results runs
    [ "$what" = single-step ] && run=single-step
    kernel=$(sed -n 's/.*GUEST kernel=//p' "$log")
    aborts=$(sed -n "s/^$run| aborts:.*total=//p" "$log")
    # That `plain` fails is what it is for.
    failures=$(sed -n '/ plain (/d; s/^GUEST rc=[1-9][0-9]* \(.*\) (.*/\1/p' "$log" | paste -sd' ')
    # The kernel may write into the middle of such a line.
    results=$(grep -c '^GUEST rc=[0-9]* .* s)$' "$log" || true)
    runs=$(sed -n 's/^GUEST done runs=//p' "$log")
    if [ -z "$runs" ]; then
        outcome="FAILED: the guest died or took more than $limit s"
    elif [ -n "$failures" ]; then
        outcome="FAILED: $failures"
    elif [ "$results" != "$runs" ]; then
        outcome="FAILED: of $runs results $results can be read"
    elif [[ $what = tests && $arch != riscv64 ]] && ! grep -q '^torture-cpu-hotplug| .*times off line' "$log"; then
        outcome="FAILED: no CPU went off line in the torture"
    elif [[ $3 = newest ]] && ! printf '7.1\n%s\n' "$kernel" | sort -CV; then
        outcome="FAILED: this is not the kernel that is wanted here, 7.1 or newer"
    elif [ "${aborts:-0}" = 0 ]; then
        outcome="FAILED: nothing was ever aborted, so nothing was shown"
    fi
    put "$number" "$arch" "${kernel:-$3}" "$what" "$(value "$log" "$run" owner)" \
        "$(value "$log" "$run" feature_size)" \
        "$(value "$log" "$run" kernel_size)/$(value "$log" "$run" alignment)" \
        "$(value "$log" own registration)" "$(total "$log" '| test result: .* \([0-9]*\) passed')" \
        "${aborts:--}" "$(value "$log" plain violations)" \
        "$(total "$log" '| rcu-torture: .*reads=\([0-9]*\)')" \
        "$(total "$log" '| rcu-torture: .*grace_periods=\([0-9]*\)')" \
        "$(total "$log" '| rcu-torture: .*errors=\([0-9]*\)')" "$6" "$outcome"
    say "$arch $3 $what: $outcome"
    if [ "$outcome" != ok ]; then
        say "the end of $log:"
        grep -v '| test .* ok$' "$log" | tail -60 >&2
    fi
}
