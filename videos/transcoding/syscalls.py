"""The system calls that FFmpeg may not make, as a seccomp filter.

Everything that is not listed is allowed, up to the newest call that this table knows;
later ones do not exist for FFmpeg.  So a new version of FFmpeg or of a C library works,
and a new door of the kernel stays shut.  The filter is plain numbers, because the guard
in front of FFmpeg imports no module of ours.
"""

from __future__ import annotations

import errno
import platform
from enum import StrEnum
from functools import cache

Instruction = tuple[int, int, int, int | None]
"""Code, jumps and operand of one instruction of classic BPF; the operand None is the program's own pid."""

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _AND, _JUMP, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x35, 0x06
_ALLOW, _NOTIFY, _ERROR, _KILL = 0x7FFF0000, 0x7FC00000, 0x00050000, 0x80000000
_NOT_PERMITTED, _NO_ACCESS, _NOT_KNOWN = (_ERROR | code for code in (errno.EPERM, errno.EACCES, errno.ENOSYS))
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

# linux/audit.h
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_FIRST_UNKNOWN = 457
_CLONE_THREAD = 0x10000
_AF_INET, _AF_INET6, _SOCK_STREAM, _SOCK_FLAGS = 2, 10, 1, 0o2004000
_O_TRUNC, _O_ACCMODE = 0o1000, 3
_PR_SET_PDEATHSIG, _PRIO_PROCESS, _ALL = 1, 0, 0xFFFFFFFF
_F_SETOWN, _F_SETOWN_EX, _FIOSETOWN, _SIOCSPGRP, _TIOCSTI, _TIOCLINUX = 8, 15, 0x8901, 0x8902, 0x5412, 0x541C

# Each call with its number on x86_64 and aarch64; a dash: it does not exist there.
_REFUSED = """
    ptrace 101 117  process_vm_readv 310 270  process_vm_writev 311 271  process_madvise 440 440
    process_mrelease 448 448  kcmp 312 272  pidfd_open 434 434  pidfd_getfd 438 438  pidfd_send_signal 424 424
    tkill 200 130  rt_sigqueueinfo 129 138  rt_tgsigqueueinfo 297 240  fork 57 -  vfork 58 -

    mount 165 40  umount2 166 39  pivot_root 155 41  chroot 161 51  move_mount 429 429  open_tree 428 428
    fsopen 430 430  fsconfig 431 431  fsmount 432 432  fspick 433 433  mount_setattr 442 442
    unshare 272 97  setns 308 268

    bpf 321 280  perf_event_open 298 241  userfaultfd 323 282  keyctl 250 219  add_key 248 217
    request_key 249 218  io_uring_setup 425 425  io_uring_enter 426 426  io_uring_register 427 427
    memfd_secret 447 447  modify_ldt 154 -  uselib 134 -  _sysctl 156 -  iopl 172 -  ioperm 173 -

    open_by_handle_at 304 265  name_to_handle_at 303 264  fanotify_init 300 262  fanotify_mark 301 263
    quotactl 179 60  quotactl_fd 443 443  acct 163 89  swapon 167 224  swapoff 168 225  reboot 169 142
    syslog 103 116  lookup_dcookie 212 18  init_module 175 105  finit_module 313 273  delete_module 176 106
    kexec_load 246 104  kexec_file_load 320 294  settimeofday 164 170  clock_settime 227 112
    clock_adjtime 305 266  adjtimex 159 171  sethostname 170 161  setdomainname 171 162  vhangup 153 58

    chmod 90 -  fchmod 91 52  fchmodat 268 53  fchmodat2 452 452  chown 92 -  fchown 93 55  lchown 94 -
    fchownat 260 54  truncate 76 45  mknod 133 -  mknodat 259 33  utime 132 -  utimes 235 -
    utimensat 280 88  futimesat 261 -  setxattr 188 5  lsetxattr 189 6  fsetxattr 190 7
    removexattr 197 14  lremovexattr 198 15  fremovexattr 199 16

    shmget 29 194  shmat 30 196  shmctl 31 195  semget 64 190  semop 65 193  semtimedop 220 192
    semctl 66 191  msgget 68 186  msgsnd 69 189  msgrcv 70 188  msgctl 71 187  mq_open 240 180
    mq_unlink 241 181

    bind 49 200  listen 50 201  accept 43 202  accept4 288 242

    setuid 105 146  setgid 106 144  setreuid 113 145  setregid 114 143  setresuid 117 147
    setresgid 119 149  setgroups 116 159  setfsuid 122 151  setfsgid 123 152  personality 135 92
    migrate_pages 256 238  move_pages 279 239  ioprio_set 251 30  sched_setattr 314 274
    sched_setscheduler 144 119  sched_setparam 142 118
"""
# These are decided by their arguments, or answered as if the kernel were older.
_EXAMINED = """
    socket 41 198  connect 42 203  clone 56 220  clone3 435 435  kill 62 129  tgkill 234 131
    prctl 157 167  prlimit64 302 261  setpriority 141 140  fcntl 72 25  ioctl 16 29
    open 2 -  openat 257 56  openat2 437 437  seccomp 317 277
"""


class NetworkAccess(StrEnum):
    """The network of a program: none, a socket to our relay only, or TCP to the port of its source."""

    NONE = "none"
    RELAY = "relay"
    DIRECT = "direct"


def numbers() -> dict[str, int]:
    """Return the calls of the table that exist on this machine, with their numbers."""
    return _numbers(_REFUSED) | _numbers(_EXAMINED)


def seccomp_number() -> int | None:
    """Return the number of seccomp(2) on this machine, None for a processor that the table does not know."""
    return numbers().get("seccomp")


@cache
def filter_program(network: NetworkAccess) -> tuple[Instruction, ...]:
    """Return the filter for a program with this network on this machine."""
    refused = sorted(_numbers(_REFUSED).values())
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, _ARCHITECTURES[platform.machine()]),
        _answer(_KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        # A call of another binary interface (x32), or one that is newer than this table.
        (_AT_LEAST, 0, 1, _FIRST_UNKNOWN),
        _answer(_NOT_KNOWN),
        *((_EQUAL, len(refused) - index, 0, number) for index, number in enumerate(refused)),
        (_JUMP, 0, 0, 1),
        _answer(_NOT_PERMITTED),
    ]
    numbers = _numbers(_EXAMINED)
    for name, rule in _rules(network).items():
        if name in numbers:
            program += [(_EQUAL, 0, len(rule), numbers[name]), *rule]
    return (*program, _answer(_ALLOW))


def _rules(network: NetworkAccess) -> dict[str, list[Instruction]]:
    """Return the instructions that decide each examined call; each list ends with an answer."""
    to_itself = _when(0, {None}, _ALLOW, otherwise=_NOT_PERMITTED)
    keeps_its_file = {"mask": _O_TRUNC | _O_ACCMODE, "otherwise": _ALLOW}
    rules = {
        # Threads, but no processes: none outlives its parent, and none can fill the table.
        "clone": _when(0, {_CLONE_THREAD}, _ALLOW, mask=_CLONE_THREAD, otherwise=_NOT_PERMITTED),
        # The flags lie in memory, which a filter cannot read: a C library falls back to the older calls.
        "clone3": [_answer(_NOT_KNOWN)],
        "openat2": [_answer(_NOT_KNOWN)],
        "kill": to_itself,
        "tgkill": to_itself,
        "prlimit64": _when(0, {0, None}, _ALLOW, otherwise=_NOT_PERMITTED),
        "setpriority": [
            *_demand(0, _PRIO_PROCESS),
            *_when(1, {0, None}, _ALLOW, otherwise=_NOT_PERMITTED),
        ],
        "prctl": _when(0, {_PR_SET_PDEATHSIG}, _NOT_PERMITTED, otherwise=_ALLOW),
        "fcntl": _when(1, {_F_SETOWN, _F_SETOWN_EX}, _NOT_PERMITTED, otherwise=_ALLOW),
        "ioctl": _when(1, {_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP}, _NOT_PERMITTED, otherwise=_ALLOW),
        # Landlock before Linux 6.2 does not know that opening a file for reading may cut it.
        "open": _when(1, {_O_TRUNC}, _NOT_PERMITTED, **keeps_its_file),
        "openat": _when(2, {_O_TRUNC}, _NOT_PERMITTED, **keeps_its_file),
    }
    return rules | _network_rules(network)


def _network_rules(network: NetworkAccess) -> dict[str, list[Instruction]]:
    if network is NetworkAccess.DIRECT:
        return {"socket": _when(0, {_AF_INET, _AF_INET6}, _ALLOW, otherwise=_NO_ACCESS)}
    if network is NetworkAccess.NONE:
        return {"socket": [_answer(_NO_ACCESS)], "connect": [_answer(_NO_ACCESS)]}
    return {
        # Our process answers with a socket that is already connected, to the relay.
        "socket": [
            *_demand(0, _AF_INET, _NO_ACCESS),
            *_when(1, {_SOCK_STREAM}, _NOTIFY, mask=~_SOCK_FLAGS & _ALL, otherwise=_NO_ACCESS),
        ],
        "connect": [_answer(_ERROR)],  # no error: it succeeds and does nothing
    }


def _when(
    argument: int, values: set[int | None], answer: int, *, otherwise: int, mask: int | None = None
) -> list[Instruction]:
    """Return a rule that gives ``answer`` where the argument, masked, is one of ``values``."""
    compared: list[Instruction] = [
        (_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)
    ]
    return [*_load(argument, mask), *compared, _answer(otherwise), _answer(answer)]


def _demand(argument: int, value: int, otherwise: int = _NOT_PERMITTED) -> list[Instruction]:
    """Return the beginning of a rule that refuses other values of the argument."""
    return [*_load(argument), (_EQUAL, 1, 0, value), _answer(otherwise)]


def _load(argument: int, mask: int | None = None) -> list[Instruction]:
    """Load the lower half of an argument: all that the kernel reads of these."""
    masked: list[Instruction] = [] if mask is None else [(_AND, 0, 0, mask)]
    return [(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument), *masked]


def _answer(action: int) -> Instruction:
    return (_RETURN, 0, 0, action)


def _numbers(table: str) -> dict[str, int]:
    """Return the calls of a table that exist on this machine, with their numbers."""
    column = {"x86_64": 1, "aarch64": 2}.get(platform.machine())
    if column is None:
        return {}
    words = table.split()
    calls = zip(words[::3], words[column::3], strict=True)
    return {name: int(number) for name, number in calls if number != "-"}
