#include "insight/linux_calls.h"

#include <algorithm>
#include <iterator>

namespace relic86 {

namespace {

struct Signature {
  std::string_view name, arguments;
};

// By the kernel's manual, section 2; in the order of their names.
constexpr Signature kSignatures[] = {
    {"access", "path:s mode:x"},
    {"alarm", "seconds:d"},
    {"arch_prctl", "code:x address:x"},
    {"bind", "fd:d address:x length:d"},
    {"brk", "address:x"},
    {"chdir", "path:s"},
    {"chmod", "path:s mode:o"},
    {"chown", "path:s owner:d group:d"},
    {"chroot", "path:s"},
    {"clock_gettime", "clock:d time:x"},
    {"clock_nanosleep", "clock:d flags:x time:x rest:x"},
    {"clone", "flags:x stack:x parent:x child:x tls:x"},
    {"clone3", "arguments:x size:d"},
    {"close", "fd:d"},
    {"connect", "fd:d address:x length:d"},
    {"creat", "path:s mode:o"},
    {"dup", "fd:d"},
    {"dup2", "old:d new:d"},
    {"dup3", "old:d new:d flags:x"},
    {"epoll_create1", "flags:x"},
    {"epoll_ctl", "epoll:d operation:d fd:d event:x"},
    {"epoll_wait", "epoll:d events:x count:d timeout:d"},
    {"execve", "path:s arguments:x environment:x"},
    {"execveat", "dir:d path:s arguments:x environment:x flags:x"},
    {"exit", "status:d"},
    {"exit_group", "status:d"},
    {"faccessat", "dir:d path:s mode:x"},
    {"faccessat2", "dir:d path:s mode:x flags:x"},
    {"fchmodat", "dir:d path:s mode:o"},
    {"fchownat", "dir:d path:s owner:d group:d flags:x"},
    {"fcntl", "fd:d command:d argument:x"},
    {"fcntl64", "fd:d command:d argument:x"},
    {"finit_module", "fd:d parameters:s flags:x"},
    {"fork", ""},
    {"fstat", "fd:d into:x"},
    {"fstat64", "fd:d into:x"},
    {"fstatat64", "dir:d path:s into:x flags:x"},
    {"fsync", "fd:d"},
    {"ftruncate", "fd:d length:l"},
    {"futex", "address:x operation:x value:d timeout:x address2:x value3:x"},
    {"getcwd", "into:x size:l"},
    {"getdents64", "fd:d into:x size:l"},
    {"getegid", ""},
    {"getegid32", ""},
    {"geteuid", ""},
    {"geteuid32", ""},
    {"getgid", ""},
    {"getgid32", ""},
    {"getpgid", "process:d"},
    {"getpgrp", ""},
    {"getpid", ""},
    {"getppid", ""},
    {"getrandom", "into:x size:l flags:x"},
    {"gettid", ""},
    {"gettimeofday", "time:x zone:x"},
    {"getuid", ""},
    {"getuid32", ""},
    {"init_module", "image:x size:l parameters:s"},
    {"ioctl", "fd:d request:x argument:x"},
    {"kill", "process:d signal:d"},
    {"link", "old:s new:s"},
    {"lseek", "fd:d offset:l whence:d"},
    {"lstat", "path:s into:x"},
    {"lstat64", "path:s into:x"},
    {"madvise", "address:x length:l advice:d"},
    {"mkdir", "path:s mode:o"},
    {"mkdirat", "dir:d path:s mode:o"},
    {"mknod", "path:s mode:o device:x"},
    {"mmap", "address:x length:l protection:x flags:x fd:d offset:x"},
    {"mmap2", "address:x length:l protection:x flags:x fd:d page:x"},
    {"mount", "source:s target:s type:s flags:x data:x"},
    {"mprotect", "address:x length:l protection:x"},
    {"mremap", "address:x old:l new:l flags:x"},
    {"munmap", "address:x length:l"},
    {"nanosleep", "time:x rest:x"},
    {"newfstatat", "dir:d path:s into:x flags:x"},
    {"open", "path:s flags:x mode:o"},
    {"openat", "dir:d path:s flags:x mode:o"},
    {"pause", ""},
    {"pipe", "into:x"},
    {"pipe2", "into:x flags:x"},
    {"poll", "fds:x count:d timeout:d"},
    {"ppoll", "fds:x count:d timeout:x mask:x"},
    {"prctl", "option:d argument:x"},
    {"pread64", "fd:d into:x count:l offset:l"},
    {"prlimit64", "process:d resource:d new:x old:x"},
    {"pselect6", "count:d read:x write:x except:x timeout:x mask:x"},
    {"pwrite64", "fd:d from:x count:l offset:l"},
    {"read", "fd:d into:x count:l"},
    {"readlink", "path:s into:x size:l"},
    {"readlinkat", "dir:d path:s into:x size:l"},
    {"readv", "fd:d vector:x count:d"},
    {"reboot", "magic:x magic2:x command:x argument:x"},
    {"recvfrom", "fd:d into:x size:l flags:x address:x length:x"},
    {"recvmsg", "fd:d message:x flags:x"},
    {"rename", "old:s new:s"},
    {"renameat", "dir:d old:s dir2:d new:s"},
    {"rmdir", "path:s"},
    {"rseq", "address:x length:d flags:x signature:x"},
    {"rt_sigaction", "signal:d new:x old:x size:d"},
    {"rt_sigprocmask", "how:d new:x old:x size:d"},
    {"rt_sigreturn", ""},
    {"sched_yield", ""},
    {"select", "count:d read:x write:x except:x timeout:x"},
    {"sendfile", "to:d from:d offset:x count:l"},
    {"sendmsg", "fd:d message:x flags:x"},
    {"sendto", "fd:d from:x size:l flags:x address:x length:d"},
    {"set_robust_list", "head:x length:d"},
    {"set_thread_area", "description:x"},
    {"set_tid_address", "address:x"},
    {"setpgid", "process:d group:d"},
    {"setsid", ""},
    {"shutdown", "fd:d how:d"},
    {"sigreturn", ""},
    {"socket", "family:d type:x protocol:d"},
    {"socketcall", "call:d arguments:x"},
    {"stat", "path:s into:x"},
    {"stat64", "path:s into:x"},
    {"statfs", "path:s into:x"},
    {"statx", "dir:d path:s flags:x mask:x into:x"},
    {"symlink", "target:s path:s"},
    {"sync", ""},
    {"sysinfo", "into:x"},
    {"time", "into:x"},
    {"times", "into:x"},
    {"truncate", "path:s length:l"},
    {"umask", "mask:o"},
    {"umount", "path:s"},
    {"umount2", "path:s flags:x"},
    {"uname", "into:x"},
    {"unlink", "path:s"},
    {"unlinkat", "dir:d path:s flags:x"},
    {"utimensat", "dir:d path:s times:x flags:x"},
    {"vfork", ""},
    {"wait4", "process:d status:x options:x usage:x"},
    {"waitid", "which:d process:d into:x options:x usage:x"},
    {"waitpid", "process:d status:x options:x"},
    {"write", "fd:d from:x count:l"},
    {"writev", "fd:d vector:x count:d"},
};
static_assert(std::ranges::is_sorted(kSignatures, {}, &Signature::name));

}  // namespace

std::string_view linux_call_arguments(std::string_view name) {
  const auto* const row = std::ranges::lower_bound(kSignatures, name, {}, &Signature::name);
  if (row != std::end(kSignatures) && row->name == name) return row->arguments;
  return "1:x 2:x 3:x 4:x 5:x 6:x";
}

bool next_linux_argument(std::string_view& arguments, std::string_view& name, LinuxArgument& kind) {
  if (arguments.empty()) return false;
  const std::size_t colon = arguments.find(':');
  name = arguments.substr(0, colon);
  switch (arguments[colon + 1]) {
    case 'd': kind = LinuxArgument::Decimal; break;
    case 'l': kind = LinuxArgument::Long; break;
    case 'o': kind = LinuxArgument::Octal; break;
    case 's': kind = LinuxArgument::Text; break;
    default: kind = LinuxArgument::Hexadecimal; break;
  }
  arguments.remove_prefix(std::min(colon + 3, arguments.size()));
  return true;
}

}  // namespace relic86
