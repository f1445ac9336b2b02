"""Runs a program as on a host that lets nobody make namespaces: under a filter like that of a container.

host.py UID [no-landlock] PROGRAM ARGS...

UID is whom to become, `-` for nobody else. Root stays root without the rights that a container's root has not.
"""
import ctypes
import os
import struct
import sys

EPERM, ENOSYS = 1, 38
LOAD, IF_EQUAL, IF_ANY, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
# clone, unshare, mount, setns: their numbers differ; those of newer calls do not.
OLD = {"x86_64": (56, 272, 165, 308), "aarch64": (220, 97, 40, 268)}[os.uname().machine]
NAMESPACES = 0x7E020000
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 22, 24, 38
CAP_SYS_PTRACE, CAP_SYS_ADMIN = 19, 21


def instruction(code, k, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, k)


def refuse(number, errno):
    return [instruction(IF_EQUAL, number, 0, 1), instruction(RETURN, ERRNO | errno)]


def filter_of(landlock):
    program = [instruction(LOAD, 0)]
    for number in OLD[1:] + (428, 429, 430, 438, 442):  # open_tree, move_mount, fsopen, pidfd_getfd, mount_setattr
        program += refuse(number, EPERM)
    program += refuse(435, ENOSYS)  # clone3
    if not landlock:
        program += refuse(444, ENOSYS)
    program += [
        instruction(IF_EQUAL, OLD[0], 0, 3),
        instruction(LOAD, 16),
        instruction(IF_ANY, NAMESPACES, 0, 1),
        instruction(RETURN, ERRNO | EPERM),
        instruction(RETURN, ALLOW),
    ]
    return program


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def call(function, *arguments):
    if function(*arguments) != 0:
        sys.exit(f"host.py: {arguments}: errno {ctypes.get_errno()}")


def main(user, *command):
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    landlock = command[0] != "no-landlock"
    command = command if landlock else command[1:]
    if user != "-":
        os.setgroups([])
        os.setresgid(int(user), int(user), int(user))
        os.setresuid(int(user), int(user), int(user))
    if os.geteuid() == 0:
        for capability in (CAP_SYS_PTRACE, CAP_SYS_ADMIN):
            call(prctl, PR_CAPBSET_DROP, capability, 0, 0, 0)
    else:
        call(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    code = b"".join(filter_of(landlock))
    buffer = ctypes.create_string_buffer(code, len(code))
    program = Program(len(code) // 8, ctypes.addressof(buffer))
    call(prctl, PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0)
    os.execv(command[0], command)


main(*sys.argv[1:])
