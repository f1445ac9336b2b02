import ctypes

HERE = -100
OPENAT2, SETXATTRAT, REMOVEXATTRAT, FILE_SETATTR = 437, 463, 466, 469
CREATE, WRITE = 0o100, 1
call = ctypes.CDLL(None).syscall
# flags, mode (with the set-user-id bit), resolve
call(OPENAT2, HERE, b"data/made", (ctypes.c_uint64 * 3)(CREATE | WRITE, 0o4755, 0), 24)
value = ctypes.create_string_buffer(b"attack")
# value, size, flags
call(SETXATTRAT, HERE, b"data/file", 0, b"user.attack", (ctypes.c_uint64 * 2)(ctypes.addressof(value), 6), 16)
call(REMOVEXATTRAT, HERE, b"data/file", 0, b"user.attack")
# xflags (no dump), extsize, nextents, projid, cowextsize
call(FILE_SETATTR, HERE, b"data/file", (ctypes.c_uint32 * 6)(0x80), 24, 0)
