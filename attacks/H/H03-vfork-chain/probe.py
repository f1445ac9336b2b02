import ctypes, mmap

CODE = bytes.fromhex(
    "53"  # push rbx
    "89fb"  # mov ebx, edi: how many are still to come
    "b83a000000 0f05"  # next: vfork
    "85c0 7519"  # who got a child goes to parent
    "ffcb 75f1"  # one less to come; next
    "bf02000000 b825000000 0f05"  # the last: alarm(2)
    "b822000000 0f05"  # pause()
    "90"
    "39fb 7502 5bc3"  # parent: the first of all returns
    "31ff b83c000000 0f05"  # the others: exit(0)
)
page = mmap.mmap(-1, len(CODE), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(CODE)
ctypes.CFUNCTYPE(None, ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))(60)
