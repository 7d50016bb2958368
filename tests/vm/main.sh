# Process 1 of the guest once it has its files: runs the command, tells how it ended, and powers off.
# The command comes in /run/lab/command, its output goes to the second serial line,
# which the kernel's command line names.

export HOME=/root USER=root LANG=C.UTF-8 TERM=dumb
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
echo "lab: $(uname -r), up after $(cut -d ' ' -f 1 /proc/uptime) s"
modprobe -a tun # udev would have made its device
stty -F "$output" raw -echo
# A session of its own keeps it from taking the serial line as its terminal.
setsid sh /run/lab/command </dev/null >"$output" 2>&1
echo $? >/run/lab/status
stty -F "$output" raw -echo # returns when all of it is written
/run/busybox poweroff -f
