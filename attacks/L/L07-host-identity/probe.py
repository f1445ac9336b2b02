import glob, os, socket, uuid

print(os.uname().nodename, socket.getfqdn(), uuid.getnode())
folders = glob.glob("/sys/class/net/*") + ["/sys/class/net/eth0"]
for file in (
    "/etc/machine-id",
    "/var/lib/dbus/machine-id",
    "/etc/hostname",
    "/proc/sys/kernel/random/boot_id",
    "/sys/class/dmi/id/product_uuid",
    "/sys/class/dmi/id/product_serial",
    "/sys/class/dmi/id/board_serial",
    *[folder + "/address" for folder in folders if not folder.endswith("/lo")],
):
    try:
        print(open(file).read())
    except OSError:
        pass
