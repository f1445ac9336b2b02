import ctypes, sys

libc = ctypes.CDLL(None)
# Layout of addresses as it was 20 years ago.
ADDR_NO_RANDOMIZE = 0x40000
libc.personality(ADDR_NO_RANDOMIZE)
# With arguments that make no sense: where they are not refused, they do nothing.
NOWHERE = ctypes.c_void_p(8)
for number, *arguments in (
    (103, 10, None, 0),  # syslog: how much there is
    (169, 0, 0, 0, None),  # reboot
    (246, -1, -1, NOWHERE, -1),  # kexec_load
    (320, -1, -1, 0, None, -1),  # kexec_file_load
    (175, NOWHERE, 0, NOWHERE),  # init_module
    (313, -1, NOWHERE, 0),  # finit_module
    (176, NOWHERE, 0),  # delete_module
    (167, NOWHERE, 0),  # swapon
    (168, NOWHERE),  # swapoff
    (163, NOWHERE),  # acct
    (179, -1, None, 0, None),  # quotactl
    (164, NOWHERE, None),  # settimeofday
    (159, NOWHERE),  # adjtimex
    (227, 0, NOWHERE),  # clock_settime
    (305, 0, NOWHERE),  # clock_adjtime
    (172, 4),  # iopl
    (173, -1, 1, 1),  # ioperm
    (154, 1, None, 0),  # modify_ldt
):
    libc.syscall(number, *arguments)
print("ready", flush=True)
sys.stdin.read()
