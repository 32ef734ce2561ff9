"""The system calls a job may make: an allow list as a program for the kernel's filter, put together by hand. x86-64 alone.

Chosen on purpose: whatever is not named fails with ENOSYS, which is what a library expects of a kernel that lacks a call (clone3:
so that glibc falls back to clone, whose flags a filter can see). What programs try and may be told no is EPERM: sockets,
mounts, namespaces, tracing. A call of another architecture, or of the x32 table, kills the process: nothing honest makes one.

Absent, and why: memfd_create (memory that no limit counts), System V and POSIX message queues (outlive a process), io_uring and
bpf and userfaultfd and perf_event_open (where kernels break), open_by_handle_at, keyctl, quotactl, every module and clock call.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

Profile: TypeAlias = Literal["processes", "program", "threads"]
"""`processes`: may fork and exec. `program`: may exec, not fork. `threads`: neither."""

_ARCH_X86_64 = 0xC000003E
_X32_BIT = 0x40000000
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _JUMP, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x05, 0x06
_FARTHEST = 255
"""Instructions that a comparison can jump over; `_JUMP` has no such limit."""
_NR, _ARCH, _ARG0 = 0, 4, 16
"""Offsets in the kernel's struct seccomp_data; the low half of an argument comes first."""

_NEW_NAMESPACES = 0x7E020080
_CLONE_THREAD = 0x00010000
_AF_UNIX = 1
_SOME_PID = b"pid?"
"""Stands for the process's number, which is known only when it is there."""


def _numbers(table: str) -> frozenset[int]:
    return frozenset(int(entry.partition("=")[2]) for entry in table.split())


_PLAIN = _numbers(
    """
    read=0 write=1 open=2 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 munmap=11 brk=12
    rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 pread64=17 pwrite64=18 readv=19 writev=20 access=21 pipe=22
    select=23 sched_yield=24 mremap=25 msync=26 mincore=27 madvise=28 dup=32 dup2=33 pause=34 nanosleep=35
    getitimer=36 alarm=37 setitimer=38 getpid=39 sendfile=40 sendto=44 recvfrom=45 sendmsg=46 recvmsg=47 shutdown=48
    getsockname=51 getpeername=52 setsockopt=54 getsockopt=55 exit=60 wait4=61 uname=63 flock=73 fsync=74
    fdatasync=75 truncate=76 ftruncate=77 getdents=78 getcwd=79 chdir=80 fchdir=81 rename=82 mkdir=83 rmdir=84
    creat=85 link=86 unlink=87 symlink=88 readlink=89 umask=95 gettimeofday=96 getrlimit=97 getrusage=98 sysinfo=99
    times=100 getuid=102 getgid=104 geteuid=107 getegid=108 getppid=110 getpgrp=111 getgroups=115 getresuid=118
    getresgid=120 getpgid=121 getsid=124 rt_sigpending=127 rt_sigtimedwait=128 rt_sigsuspend=130
    sigaltstack=131 statfs=137 fstatfs=138 getpriority=140 sched_getparam=143 sched_getscheduler=145
    sched_get_priority_max=146 sched_get_priority_min=147 sched_rr_get_interval=148 arch_prctl=158 setrlimit=160
    gettid=186 getxattr=191 lgetxattr=192 fgetxattr=193 listxattr=194 llistxattr=195 flistxattr=196
    time=201 futex=202 sched_getaffinity=204 epoll_create=213 getdents64=217
    set_tid_address=218 restart_syscall=219 fadvise64=221 timer_create=222 timer_settime=223 timer_gettime=224
    timer_getoverrun=225 timer_delete=226 clock_gettime=228 clock_getres=229 clock_nanosleep=230 exit_group=231
    epoll_wait=232 epoll_ctl=233 waitid=247 openat=257 mkdirat=258 newfstatat=262 unlinkat=263 renameat=264
    linkat=265 symlinkat=266 readlinkat=267 faccessat=269 pselect6=270 ppoll=271 set_robust_list=273
    epoll_pwait=281 timerfd_create=283 eventfd=284 fallocate=285 timerfd_settime=286
    timerfd_gettime=287 eventfd2=290 epoll_create1=291 dup3=292 pipe2=293 preadv=295 pwritev=296 
    getcpu=309 renameat2=316 getrandom=318 membarrier=324 copy_file_range=326 preadv2=327 pwritev2=328 statx=332
    rseq=334 close_range=436 openat2=437 faccessat2=439 epoll_pwait2=441 pidfd_open=434
    """
)
_BY_PATH = _numbers(
    """
    chmod=90 fchmod=91 fchmodat=268 utime=132 utimes=235 utimensat=280 futimesat=261
    """
)
"""Landlock does not see these, so they are refused where it alone stands guard."""
_GROUPS = _numbers(
    """
    setpgid=109 setsid=112
    """
)
_REFUSED = _numbers(
    """
    socket=41 connect=42 accept=43 accept4=288 bind=49 listen=50 ptrace=101 mount=165 umount2=166 pivot_root=155
    chroot=161 unshare=272 setns=308 process_vm_readv=310 process_vm_writev=311 kcmp=312 pidfd_getfd=438
    pidfd_send_signal=424 setuid=105 setgid=106 setreuid=113 setregid=114 setresuid=117 setresgid=119 setgroups=116
    setfsuid=122 setfsgid=123 capset=126 chown=92 fchown=93 lchown=94 fchownat=260 mknod=133 mknodat=259
    setxattr=188 lsetxattr=189 fsetxattr=190 removexattr=197 lremovexattr=198 fremovexattr=199 sethostname=170
    setdomainname=171 reboot=169 swapon=167 swapoff=168 init_module=175 finit_module=313 delete_module=176
    kexec_load=246 kexec_file_load=320 iopl=172 ioperm=173 acct=163 personality=135 seccomp=317 bpf=321
    perf_event_open=298 open_by_handle_at=304 name_to_handle_at=303 setpriority=141 sched_setscheduler=144
    sched_setparam=142 settimeofday=164 clock_settime=227 adjtimex=159 vhangup=153 syslog=103 fanotify_init=300
    open_tree=428 move_mount=429 fsopen=430 fsconfig=431 fsmount=432 fspick=433 mount_setattr=442
    """
)
_FORKS = _numbers("fork=57 vfork=58")
_EXECS = _numbers("execve=59 execveat=322")
_KILL_, _TGKILL, _TKILL = 62, 234, 200
_CLONE, _SOCKETPAIR, _IOCTL, _PRCTL, _FCNTL, _PRLIMIT, _SET_AFFINITY = 56, 53, 16, 157, 72, 302, 203
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""Is it a terminal, its size, bytes waiting, blocking, close on exec."""
_PRCTLS = (1, 2, 3, 4, 15, 16, 21, 23, 27, 39, 0x53564D41)
"""Death signal, dumpable, name, and what only reads."""
_FCNTLS_OWNER = (8, 10, 15)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX: a descriptor that sends any signal to any process of this user."""


def program(profile: Profile, pid: int, may_signal: bool) -> bytes:
    """The filter, 8 bytes an instruction, for the process `pid`. may_signal: others than itself (it sees only its own)."""
    return _prepared(profile, may_signal).replace(_SOME_PID, struct.pack("<I", pid))


@lru_cache(maxsize=8)
def _prepared(profile: Profile, may_signal: bool) -> bytes:
    """The same for a process that is not there yet."""
    (pid,) = struct.unpack("<I", _SOME_PID)
    plain = set(_PLAIN)
    plain |= _EXECS if profile != "threads" else set()
    plain |= {*_FORKS, *_BY_PATH, *_GROUPS} if profile == "processes" else set()
    plain |= {_KILL_, _TGKILL, _TKILL} if may_signal else set()
    refused = {*_REFUSED, *_FORKS, *_EXECS, *_BY_PATH, *_GROUPS, _TKILL} - plain
    of_itself = _compared(0, (pid,), _ALLOW, _ERRNO | errno.EPERM)
    blocks = dict.fromkeys(refused, _step(_RETURN, _ERRNO | errno.EPERM)) | dict.fromkeys(plain, _step(_RETURN, _ALLOW))
    blocks |= {} if may_signal else {_KILL_: of_itself, _TGKILL: of_itself}
    blocks |= {
        _CLONE: _flags(_NEW_NAMESPACES, None if profile == "processes" else _CLONE_THREAD),
        _SOCKETPAIR: _compared(0, (_AF_UNIX,), _ALLOW, _ERRNO | errno.EPERM),
        _IOCTL: _compared(1, _IOCTLS, _ALLOW, _ERRNO | errno.ENOTTY),
        _PRCTL: _compared(0, _PRCTLS, _ALLOW, _ERRNO | errno.EINVAL),
        _PRLIMIT: _compared(0, (0, pid), _ALLOW, _ERRNO | errno.EPERM),
        _SET_AFFINITY: _compared(0, (0, pid), _ALLOW, _ERRNO | errno.EPERM),
        _FCNTL: _compared(1, _FCNTLS_OWNER, _ERRNO | errno.EPERM, _ALLOW),
    }
    return b"".join((
        _step(_LOAD, _ARCH),
        _step(_EQUAL, _ARCH_X86_64, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NR),
        _step(_AT_LEAST, _X32_BIT, 0, 1),
        _step(_RETURN, _KILL),
        _chosen(_ranges(blocks, _step(_RETURN, _ERRNO | errno.ENOSYS))),
    ))  # fmt: skip


def _step(operation: int, operand: int, true: int = 0, false: int = 0) -> bytes:
    """An instruction of the classic packet filter. true, false: how many to jump over where a comparison is that."""
    return struct.pack("<HBBI", operation, true, false, operand)


def _ranges(blocks: Mapping[int, bytes], otherwise: bytes) -> list[tuple[int, bytes]]:
    """What is done from each number on. Example: {1: a, 2: a}, b -> [(0, b), (1, a), (3, b)]."""
    found = [(0, blocks.get(0, otherwise))]
    for number in range(1, max(blocks) + 2):
        block = blocks.get(number, otherwise)
        if block != found[-1][1]:
            found.append((number, block))
    return found


def _chosen(ranges: Sequence[tuple[int, bytes]]) -> bytes:
    """Finds the range of the call's number, which is loaded, by halves, and does what is to be done.

    The kernel runs a filter once for every call there is when it is installed, and a job installs its own.
    """
    if len(ranges) == 1:
        return ranges[0][1]
    half = len(ranges) // 2
    below, above = _chosen(ranges[:half]), _chosen(ranges[half:])
    length = len(below) // len(_step(0, 0))
    if length <= _FARTHEST:
        return _step(_AT_LEAST, ranges[half][0], length, 0) + below + above
    return _step(_AT_LEAST, ranges[half][0], 0, 1) + _step(_JUMP, length) + below + above


def _compared(argument: int, values: Sequence[int], found: int, otherwise: int) -> bytes:
    """One verdict where a call's argument (0 is the first) is one of these, another where it is not."""
    steps = [_step(_LOAD, _ARG0 + 8 * argument)]
    steps += [_step(_EQUAL, value, len(values) - index, 0) for index, value in enumerate(values)]
    return b"".join((*steps, _step(_RETURN, otherwise), _step(_RETURN, found)))


def _flags(without: int, with_: int | None) -> bytes:
    """Allowed where the first argument has no bit of `without` and, where given, one of `with_`."""
    refused, allowed = _step(_RETURN, _ERRNO | errno.EPERM), _step(_RETURN, _ALLOW)
    if with_ is None:
        return _step(_LOAD, _ARG0) + _step(_ANY_BIT, without, 0, 1) + refused + allowed
    return _step(_LOAD, _ARG0) + _step(_ANY_BIT, without, 1, 0) + _step(_ANY_BIT, with_, 1, 0) + refused + allowed


_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.prctl.argtypes = (ctypes.c_int, *4 * (ctypes.c_ulong,))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


@lru_cache(maxsize=8)
def installable(profile: Profile, pid: int, may_signal: bool) -> ctypes.Structure:
    """The same as the kernel takes it."""
    code = program(profile, pid, may_signal)
    return _Program(len(code) // 8, code)


def install(code: ctypes.Structure) -> None:
    """Puts the filter on this process and all that it becomes. It must have given up new privileges. Raises OSError."""
    if _LIBC.prctl(22, 2, ctypes.addressof(code), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"no system call filter: {errno.errorcode.get(number, number)}")
