import ctypes, glob, os, sys, time

shared = sys.argv[1]
end = time.monotonic() + 15
while not os.path.exists(f"{shared}/up"):
    if time.monotonic() > end:
        sys.exit("there is no sibling")
    time.sleep(0.01)

libc = ctypes.CDLL(None)
address = int(open(f"{shared}/up").read())
text = ctypes.create_string_buffer(33)
here = (ctypes.c_void_p * 2)(ctypes.addressof(text), 32)
there = (ctypes.c_void_p * 2)(address, 32)
for process in glob.glob("/proc/[0-9]*"):
    try:
        command = open(f"{process}/cmdline").read()
    except OSError:
        continue
    if "sibling.py" not in command or "run\0" in command:
        continue
    pid = int(process[6:])
    ANYTHING = ctypes.c_ulong
    libc.process_vm_readv(pid, here, ANYTHING(1), there, ANYTHING(1), ANYTHING(0))
    print(text.value.decode())
# Of whoever it is, so that the attempt is made in any case.
libc.process_vm_readv(1, here, ctypes.c_ulong(1), there, ctypes.c_ulong(1), ctypes.c_ulong(0))
