"""The kernel's own types for the compiler, from its BTF: no kernel headers are needed.

libbpf, which bcc's library brings along, writes the C definitions of the structures that the
probe uses. bcc includes a handful of kernel headers by itself, so they are stood in for by a small
private tree that only lives while the probe is compiled.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bcc import libbcc

from tcptop_rtt.errors import TcptopError

BTF_PATH = Path("/sys/kernel/btf/vmlinux")

_STRUCTS = (
    "bpf_iter__task_file",
    "bpf_iter__tcp",
    "bpf_iter_meta",
    "file",
    "inet_bind_bucket",
    "inode",
    "net",
    "socket",
    "task_struct",
    "tcp_congestion_ops",
    "tcp_sock",
)
_NEWER = "bpf_iter__tcp"  # Linux 5.9
_BTF_KIND_STRUCT, _BTF_KIND_FUNC = 4, 12  # include/uapi/linux/btf.h

KERNEL_FUNCTION = 1 << 30
"""Added to the number of a kernel function that is called; numbers without it are helpers'."""

_HEADERS = {
    # Included on every compiler command line; without it bcc's helpers hide the ring buffer.
    "include/linux/kconfig.h": "#define CONFIG_BPF_SYSCALL 1\n",
    "include/linux/types.h": """\
typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u16 __le16;
typedef __u32 __le32;
typedef __u64 __le64;
typedef __u32 __wsum;
typedef __u64 __attribute__((aligned(8))) __aligned_u64;
typedef unsigned long size_t;
typedef unsigned long uintptr_t;
typedef _Bool bool;
#define true 1
#define false 0
#define offsetof(type, member) __builtin_offsetof(type, member)
#define NULL ((void *)0)
#define __always_inline inline __attribute__((always_inline))
#define barrier() asm volatile("" ::: "memory")
""",
    "include/linux/bpf_common.h": """\
#define BPF_CLASS(code) ((code) & 0x07)
#define BPF_LD 0x00
#define BPF_LDX 0x01
#define BPF_ST 0x02
#define BPF_STX 0x03
#define BPF_ALU 0x04
#define BPF_JMP 0x05
#define BPF_W 0x00
#define BPF_H 0x08
#define BPF_B 0x10
#define BPF_ABS 0x20
#define BPF_IND 0x40
#define BPF_K 0x00
#define BPF_X 0x08
#define BPF_MAXINSNS 4096
""",
    "include/linux/version.h": """\
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 8, 0)
""",
    "include/linux/log2.h": "",
    "include/uapi/linux/bpf.h": "#include <bcc/bpf.h>\n",
    "include/uapi/linux/if_packet.h": "",
    "include/uapi/linux/ptrace.h": "",
    "include/asm/page.h": f"#define PAGE_SIZE {os.sysconf('SC_PAGE_SIZE')}\n",
}


def _write_kernel_types(header: Path) -> None:
    """Write C definitions of :data:`_STRUCTS` and of all they contain, laid out as in the running kernel.

    :raises TcptopError: the kernel has no BTF, or lacks one of the structures.
    """
    lib, libc = libbcc.lib, ctypes.CDLL(None)
    void_p, string = ctypes.c_void_p, ctypes.c_char_p
    for function, result, arguments in (
        (libc.fopen, void_p, [string, string]),
        (libc.fclose, ctypes.c_int, [void_p]),
        (lib.btf__load_vmlinux_btf, void_p, []),
        (lib.btf__free, None, [void_p]),
        (lib.btf__find_by_name_kind, ctypes.c_int, [void_p, string, ctypes.c_uint]),
        (lib.btf_dump__new, void_p, [void_p, void_p, void_p, void_p]),
        (lib.btf_dump__dump_type, ctypes.c_int, [void_p, ctypes.c_uint]),
        (lib.btf_dump__free, None, [void_p]),
    ):
        function.restype, function.argtypes = result, arguments

    if not (btf := lib.btf__load_vmlinux_btf()):
        raise TcptopError(f"cannot read {BTF_PATH}: boot a kernel built with CONFIG_DEBUG_INFO_BTF=y")
    file = libc.fopen(bytes(header), b"w")
    # libbpf prints through a function like vfprintf(), so that very one spares a call of Python per token.
    dump = lib.btf_dump__new(btf, libc.vfprintf, file, None)
    try:
        for struct in _STRUCTS:
            number = lib.btf__find_by_name_kind(btf, struct.encode(), _BTF_KIND_STRUCT)
            if number < 0 and struct == _NEWER:
                continue
            if number < 0 or lib.btf_dump__dump_type(dump, number):
                release = os.uname().release
                raise TcptopError(f"Linux {release} has no 'struct {struct}': boot Linux 5.8 or later")
        tcp_sock = lib.btf__find_by_name_kind(btf, b"tcp_sock", _BTF_KIND_STRUCT)
        cast = lib.btf__find_by_name_kind(btf, b"bpf_rdonly_cast", _BTF_KIND_FUNC)
    finally:
        lib.btf_dump__free(dump)
        libc.fclose(file)
        lib.btf__free(btf)
    text = _with_named_padding(header.read_text())
    if f"struct {_NEWER} {{" not in text:
        text += "#define NO_TCP_ITERATOR\n"
    if cast > 0:  # Linux 6.2
        text += f"#define RDONLY_CAST {KERNEL_FUNCTION | cast}\n#define TCP_SOCK_TYPE {tcp_sock}\n"
    header.write_text(text)


def _with_named_padding(text: str) -> str:
    """libbpf pads with nameless bit-fields; after one, clang 14 loads from elsewhere than offsetof() says."""
    numbers = itertools.count()
    return re.sub(r"(?m)^(\s+)long: 64;$", lambda found: f"{found[1]}long padding{next(numbers)};", text)


@contextmanager
def kernel_source() -> Iterator[None]:
    """While this lasts, bcc compiles against the running kernel's own types.

    The tree is private (0700) and gone at the end.
    """
    with tempfile.TemporaryDirectory(prefix="tcptop-rtt-") as directory:
        for path, text in _HEADERS.items():
            header = Path(directory, path)
            header.parent.mkdir(parents=True, exist_ok=True)
            header.write_text(text)
        _write_kernel_types(Path(directory, "include/kernel_types.h"))
        before = os.environ.get("BCC_KERNEL_SOURCE")
        os.environ["BCC_KERNEL_SOURCE"] = directory
        try:
            with _working_in(Path(directory, "include")):
                yield
        finally:
            if before is None:
                del os.environ["BCC_KERNEL_SOURCE"]
            else:
                os.environ["BCC_KERNEL_SOURCE"] = before


@contextmanager
def _working_in(directory: Path) -> Iterator[None]:
    """bcc looks for every header in the working directory first, which anybody may have written to."""
    before = os.open(".", os.O_PATH | os.O_DIRECTORY)  # its path may be too long for a name, or gone
    try:
        os.chdir(directory)
        yield
    finally:
        os.fchdir(before)
        os.close(before)
