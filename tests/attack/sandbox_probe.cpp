// Enters -sandbox's filter of system calls, group by group, each in a child of its own, and makes calls that must be
// refused there, and others that must not.
#include <fmt/format.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <thread>

#include "frontend/sandbox.h"

namespace relic86 {
namespace {

constexpr int kSkipped = 77;  // exit code: the host has no such filter

bool refused(long result, int error = EPERM) { return result == -1 && errno == error; }

bool always_refused() {
  return refused(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)) && refused(syscall(SYS_reboot, 0, 0, 0, nullptr)) &&
         refused(syscall(SYS_unshare, CLONE_FS)) && refused(syscall(SYS_bpf, 0, nullptr, 0)) &&
         refused(syscall(SYS_io_uring_setup, 1, nullptr));
}

bool spawns() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  return child > 0 && waitpid(child, nullptr, 0) == child;
}

bool threads() {
  int seen = 0;
  std::thread([&] { seen = 1; }).join();
  return seen == 1;
}

bool executes() {
  const char* const arguments[] = {"/bin/true", nullptr};
  return execv(arguments[0], const_cast<char* const*>(arguments)) != -1 || errno != EPERM;
}

// The exit code of a child in which the filter is on: 0 if `probe` holds there.
int in_sandbox(const SandboxOption& sandbox, const std::function<bool()>& probe) {
  const pid_t child = fork();
  if (child == 0) {
    if (!filter_system_calls(sandbox)) _exit(kSkipped);
    _exit(probe() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int run() {
  const SandboxOption plain{.on = true};
  SandboxOption no_spawn = plain, no_privileges = plain, no_resources = plain, old = plain;
  no_spawn.spawn = false;
  no_privileges.elevate_privileges = SandboxOption::Elevate::Deny;
  no_resources.resource_control = false;
  old.obsolete = true;
  struct Row {
    const char* what;
    SandboxOption sandbox;
    std::function<bool()> probe;
  };
  const Row rows[] = {
      {"calls that are always refused", plain, always_refused},
      {"processes without spawn=deny", plain, spawns},
      {"processes with spawn=deny", no_spawn, [] { return !spawns() && !executes(); }},
      {"threads with spawn=deny", no_spawn, threads},
      {"privileges without elevateprivileges=deny", plain, [] { return setgid(getgid()) == 0; }},
      {"privileges with elevateprivileges=deny", no_privileges, [] { return refused(setgid(getgid())); }},
      {"priorities without resourcecontrol=deny", plain, [] { return setpriority(PRIO_PROCESS, 0, 1) == 0; }},
      {"priorities with resourcecontrol=deny", no_resources, [] { return refused(setpriority(PRIO_PROCESS, 0, 1)); }},
      {"obsolete calls", plain, [] { return refused(syscall(SYS_ustat, 0, nullptr)); }},
      {"obsolete calls with obsolete=allow", old, [] { return !refused(syscall(SYS_ustat, 0, nullptr)); }},
  };
  int failures = 0;
  for (const Row& row : rows) {
    const int code = in_sandbox(row.sandbox, row.probe);
    if (code == kSkipped) return kSkipped;
    if (code != 0) failures++, fmt::print("wrong: {}\n", row.what);
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace relic86

int main() { return relic86::run(); }
