import ctypes, os, sys

call = ctypes.CDLL(None).syscall
own, none = os.getpid(), ctypes.create_string_buffer(128)
USER_MODE_ONLY, REPORT_FID, SOFTWARE_CLOCK, READ = 1, 0x200, (1, 128), 1
event = (ctypes.c_uint32 * 32)(*SOFTWARE_CLOCK)
for number, *arguments in (
    (298, event, own, -1, -1, 0),  # perf_event_open
    (321, 0, none, 0),  # bpf
    (323, USER_MODE_ONLY),  # userfaultfd
    (300, REPORT_FID, 0),  # fanotify_init
    (301, -1, 0, 0, 0, -1, None),  # fanotify_mark
    (447, 0),  # memfd_secret
    (443, -1, 0, 0, None),  # quotactl_fd
    (425, 1, none),  # io_uring_setup
    (426, -1, 0, 0, 0, None, 0),  # io_uring_enter
    (427, -1, 0, None, 0),  # io_uring_register
    (312, own, own, 0, 0, 0),  # kcmp
    (279, own, 0, None, None, None, 0),  # move_pages
    (256, own, 0, None, None),  # migrate_pages
    (440, -1, None, 0, 0, 0),  # process_madvise
    (304, -1, none, 0),  # open_by_handle_at
    (237, None, 0, 0, None, 0, 0),  # mbind
    (444, ctypes.byref(ctypes.c_uint64(READ)), 8, 0),  # landlock_create_ruleset
):
    call(number, *arguments)

print("ready", flush=True)
sys.stdin.read()
