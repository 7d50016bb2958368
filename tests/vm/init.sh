#!/bin/busybox sh
# The guest's first program: lays the kernel's own files over the machine's, read-only, and a tmpfs over all,
# and goes there. Runs in an initramfs, on busybox.

/bin/busybox --install -s /bin
PATH=/bin

must() { "$@" || { echo "lab: cannot $*"; poweroff -f; }; }

share() { # TAG DIRECTORY OPTIONS
    mkdir -p "$2"
    must mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"
}

mkdir /proc /dev /new
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*; do
    must insmod "$module"
done

layers=
while read -r tag; do
    share "$tag" "/layers/$tag" ro,cache=loose
    layers=$layers:/layers/$tag
done </layers.txt
mkdir /written
mount -t tmpfs tmpfs /written
mkdir /written/upper /written/work
must mount -t overlay -o "lowerdir=${layers#:},upperdir=/written/upper,workdir=/written/work" overlay /new

cd /new || exit
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs var/cache # old kernels have no files without a name on an overlay
share exchange run/lab cache=none
cp /bin/busybox run/busybox
for tool in modprobe lsmod insmod rmmod; do
    [ -e sbin/$tool ] || ln -s /run/busybox sbin/$tool
done
mount -t proc proc proc
mount -t sysfs sys sys
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t securityfs securityfs sys/kernel/security
mount -t debugfs debugfs sys/kernel/debug
mount -t tracefs tracefs sys/kernel/tracing
mount -t bpf bpf sys/fs/bpf
mount -t cgroup2 cgroup2 sys/fs/cgroup
hostname tcptop-rtt-lab
ip link set lo up
exec switch_root /new /bin/sh /run/lab/main.sh
