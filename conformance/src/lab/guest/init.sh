#!/bin/busybox sh
# The first program of the VM: loads what the root file system needs, mounts it, and hands over to the agent.
B=/bin/busybox
stop() { echo "lab: $1"; $B poweroff -f; }
$B mount -t proc proc /proc
$B mount -t sysfs sysfs /sys
$B mount -t devtmpfs dev /dev
case " $($B cat /proc/cmdline) " in *" lab.probe "*) stop "this kernel runs" ;; esac
while read -r module; do $B insmod "/modules/$module" || echo "lab: insmod $module failed"; done < /order
nine=trans=virtio,version=9p2000.L,msize=512000
$B mount -t 9p -o "ro,$nine,cache=loose" root /lower || stop "cannot mount the root"
$B mount -t tmpfs -o size=60% tmpfs /upper
$B mkdir -p /upper/files /upper/work
$B mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /new || stop "no overlay"
$B mkdir -p /new/mnt/lab
$B mount -t 9p -o "$nine" lab /new/mnt/lab || stop "cannot mount the shared folder"
for mounted in proc sys dev; do $B mount --move "/$mounted" "/new/$mounted"; done
exec $B switch_root /new /bin/bash /mnt/lab/agent.sh
