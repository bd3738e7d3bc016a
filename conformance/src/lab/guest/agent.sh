#!/bin/bash
# Runs in the VM as process 1: does the jobs of the shared folder one after the other, then powers off.
# A job is a folder with `command` (a bash script), `limit` (seconds, 0 for none) and `modules` (names it may load).
# The agent adds stdout, stderr, status, kernel-log, modules-before, modules-after; `started` when it begins it,
# `timed-out` when it had to stop it, `alive` again and again while it waits, and `done` last. A file `interrupt` put there by the host sends SIGINT.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8
share=/mnt/lab

mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for dir in /dev/shm /tmp /run; do mount -t tmpfs tmpfs "$dir"; done
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
hostname lab
ip link set lo up
while read -r tag options dir; do
    mkdir -p "$dir"
    mount -t 9p -o "$options,trans=virtio,version=9p2000.L,msize=512000" "$tag" "$dir"
done < "$share/mounts"

# A pipe that nobody writes to: reading it with a time limit is a sleep that starts no process.
mkfifo /run/tick
exec 9<> /run/tick
pause() { read -rt "$1" -u 9; }

loaded() { cut -d' ' -f1 /proc/modules | sort; }

# With job control each job has a process group of its own, and receives SIGINT.
set -m

run_job() {
    local limit pid state deadline beat looks=0
    cd "$1" || return
    limit=$(< limit)
    loaded > modules-before
    : > started
    bash ./command > stdout 2> stderr < /dev/null &
    pid=$!
    deadline=$((SECONDS + limit)) beat=0
    while kill -0 "$pid" 2> /dev/null; do
        if [ "$SECONDS" -ge "$beat" ]; then
            : > alive
            beat=$((SECONDS + 5))
        fi
        if [ -e interrupt ]; then
            rm -f interrupt
            kill -INT -- "-$pid"
        fi
        if [ "$limit" -gt 0 ] && [ "$SECONDS" -ge "$deadline" ]; then
            : > timed-out
            kill -TERM -- "-$pid"
            for _ in {1..50}; do
                kill -0 "$pid" 2> /dev/null || break
                pause 0.1
            done
            kill -KILL -- "-$pid" 2> /dev/null
            break
        fi
        # The end of a short job is seen at once. A look takes the emulated machine milliseconds.
        if [ "$((looks++))" -lt 40 ]; then pause 0.05; else pause 0.25; fi
    done
    wait "$pid"
    state=$?
    loaded > modules-after
    # What a failed job left loaded must not disturb the next one.
    while read -r module; do
        if grep -qx "$module" modules-after; then staprun -d "$module" > /dev/null 2>&1 || rmmod "$module"; fi
    done < modules > /dev/null 2>&1
    echo "$state" > status
    dmesg -c > kernel-log
    : > done
    cd /
}

dmesg -c > "$share/boot-log"
: > "$share/booted"
for job in "$share"/jobs/*/; do run_job "$job"; done
sync
echo o > /proc/sysrq-trigger
sleep 60
