#!/bin/bash
# machine.sh - a real systemd as the first process of namespaces of its own, on a throw-away copy of this system's root.
#
# Needs root. Nothing outside changes: the root is an overlay in memory; network, processes and cgroups are the machine's own.
# Ends when its standard input does. Of the host's units only what systemd needs itself is started.
#   machine.sh DIRECTORY     an empty directory for the mounts
set -euo pipefail

outside() {
    local hierarchy=/sys/fs/cgroup group
    [ -d $hierarchy/systemd ] && hierarchy=$hierarchy/systemd # cgroups of the first version
    group=$hierarchy/${directory##*/}
    mkdir "$group"
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        # closing its input ends it: unshare takes its child along
        exec unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup --propagation private \
            "$0" "$directory" inside </dev/null
    ) &
    local child=$!
    cat >/dev/null
    kill -9 $child 2>/dev/null || true
    wait $child 2>/dev/null || true
    for _ in {1..100}; do
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
        [ -d "$group" ] || break
        sleep 0.1
    done
}

inside() {
    local root=$directory/root unit
    mount -t tmpfs tmpfs "$directory"
    mkdir "$directory/upper" "$directory/work" "$root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$directory/upper,workdir=$directory/work" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    if [ -d /sys/fs/cgroup/systemd ]; then
        mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
        mkdir "$root/sys/fs/cgroup/systemd"
        mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
    else
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    fi
    mount -t tmpfs tmpfs "$root/run"
    mount -t tmpfs tmpfs "$root/tmp"
    mount -t tmpfs tmpfs "$root/dev"
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
    ln -s pts/ptmx "$root/dev/ptmx" # PrivateDevices copies it
    for node in null zero full random urandom tty; do
        touch "$root/dev/$node"
        mount --bind "/dev/$node" "$root/dev/$node"
    done
    ln -s /proc/self/fd "$root/dev/fd"
    mount -t tmpfs tmpfs "$root/etc/systemd/system"
    for unit in "$root"/lib/systemd/system/*.mount "$root"/lib/systemd/system/systemd-{udev,modules,sysctl,random}*.service; do
        ln -s /dev/null "$root/etc/systemd/system/${unit##*/}"
    done
    rm -f "$root/usr/sbin/policy-rc.d"
    cd "$root" # a true root: units with mount namespaces of their own need one
    pivot_root . mnt
    umount -l /mnt
    exec chroot . /usr/bin/env -i container=machine "PATH=$PATH" /lib/systemd/systemd --system --unit=sysinit.target
}

directory=$1
"${2:-outside}"
