#!/bin/busybox sh
# The first process of the machine: mounts the disk and hands over to inside.py.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
# Some need others, and nothing tells the order: what fails is tried again.
for pass in 1 2 3; do
    for module in /modules/*; do $b insmod $module 2>/dev/null; done
done
$b mount -t ext4 /dev/vda /disk || { echo "no disk"; $b poweroff -f; }
$b mount --move /dev /disk/dev
$b umount /proc
exec $b switch_root /disk /usr/bin/python3 -u /opt/vm/inside.py
