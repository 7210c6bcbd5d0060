#include "frontend/sandbox.h"

#include <fmt/format.h>
#include <sched.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>

#include "base/log.h"
#include "frontend/host_library.h"
#include "frontend/landlock.h"
#include "options/json_properties.h"

#ifdef RELIC86_SECCOMP
#include <seccomp.h>
#endif

namespace relic86 {

namespace {

namespace fs = std::filesystem;

std::string folder_of(const std::string& file) {
  std::error_code failure;
  const fs::path path = fs::absolute(file, failure).parent_path();
  return path.empty() ? "/" : path.string();
}

std::string environment(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr || *value == 0 ? otherwise : value;
}

// The path in "file:PATH", "unix:PATH,server"; empty: it names no file.
std::string path_in(const std::string& device) {
  for (const std::string_view kind : {"file:", "unix:", "pipe:"}) {
    if (device.starts_with(kind)) return device.substr(kind.size(), device.find(',') - kind.size());
  }
  return {};
}

FileAccess files_of(const Options& options) {
  FileAccess files;
  // The program's libraries, firmware, time zones and names of hosts; what a window needs of the system.
  files.readable = {"/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/opt"};
  files.readable.push_back(environment("XAUTHORITY", (environment("HOME", "/") + "/.Xauthority").c_str()));
  for (const std::string& library : host_library_paths(HostLibrary::Sdl)) files.readable.push_back(library);
  for (const std::string& folder : options.firmware_dirs) files.readable.push_back(folder);
  for (const std::string& file : {options.bios, options.kernel, options.midi.soundfont}) {
    if (!file.empty()) files.readable.push_back(file);
  }
  // Terminals, the display's and sound's devices and sockets.
  files.writable = {"/dev", "/run", "/tmp/.X11-unix", environment("XDG_RUNTIME_DIR", "/run")};
  // Temporary overlays (block/overlay_image.h), and what the monitor writes by a relative name.
  files.writable.insert(files.writable.end(), {environment("TMPDIR", "/var/tmp"), fs::current_path().string()});
  const auto folder = [&](const std::string& file) {
    if (!file.empty()) files.writable.push_back(folder_of(file));
  };
  for (const DriveOption& drive : options.drives) folder(drive.file);
  for (const std::string& file : {options.log_file, options.pid_file, options.screenshot, options.insight.profile,
                                  options.insight.coverage, options.insight.trace.file})
    folder(file);
  if (!options.state_dir.empty()) files.writable.push_back(options.state_dir);
  for (const auto& devices : {options.serials, options.parallels, options.gdb}) {
    for (const std::string& device : devices) folder(path_in(device));
  }
  for (const CharDeviceOption& device : options.char_devices) folder(path_in(device.spec)), folder(device.log_file);
  for (const MonitorOption& monitor : options.monitors) folder(path_in(monitor.device));
  folder(path_in(options.debugcon));
  if (options.vnc) folder(options.vnc->path);
  for (const ObjectOption& object : options.objects) {
    if (object.type == "filter-dump") folder(property_value(object.properties, "file"));
  }
  for (const NetdevOption& netdev : options.network.netdevs) {
    if (const std::string tftp = property_value(netdev.properties, "tftp"); !tftp.empty())
      files.readable.push_back(tftp);
    for (const char* key : {"addr.path", "local.path", "remote.path"}) folder(property_value(netdev.properties, key));
  }
  return files;
}

#ifdef RELIC86_SECCOMP

// Calls that change the host, look into other processes, or have been doors into the kernel: no machine ever needs one.
constexpr int kForeign[] = {SCMP_SYS(reboot),
                            SCMP_SYS(swapon),
                            SCMP_SYS(swapoff),
                            SCMP_SYS(syslog),
                            SCMP_SYS(mount),
                            SCMP_SYS(umount),
                            SCMP_SYS(umount2),
                            SCMP_SYS(pivot_root),
                            SCMP_SYS(chroot),
                            SCMP_SYS(kexec_load),
                            SCMP_SYS(kexec_file_load),
                            SCMP_SYS(init_module),
                            SCMP_SYS(finit_module),
                            SCMP_SYS(delete_module),
                            SCMP_SYS(iopl),
                            SCMP_SYS(ioperm),
                            SCMP_SYS(ptrace),
                            SCMP_SYS(process_vm_readv),
                            SCMP_SYS(process_vm_writev),
                            SCMP_SYS(kcmp),
                            SCMP_SYS(bpf),
                            SCMP_SYS(perf_event_open),
                            SCMP_SYS(userfaultfd),
                            SCMP_SYS(keyctl),
                            SCMP_SYS(add_key),
                            SCMP_SYS(request_key),
                            SCMP_SYS(setns),
                            SCMP_SYS(unshare),
                            SCMP_SYS(open_by_handle_at),
                            SCMP_SYS(name_to_handle_at),
                            SCMP_SYS(quotactl),
                            SCMP_SYS(acct),
                            SCMP_SYS(settimeofday),
                            SCMP_SYS(clock_settime),
                            SCMP_SYS(clock_adjtime),
                            SCMP_SYS(adjtimex),
                            SCMP_SYS(sethostname),
                            SCMP_SYS(setdomainname),
                            SCMP_SYS(vhangup),
                            SCMP_SYS(lookup_dcookie),
                            SCMP_SYS(io_uring_setup),
                            SCMP_SYS(io_uring_enter),
                            SCMP_SYS(io_uring_register),
                            SCMP_SYS(afs_syscall),
                            SCMP_SYS(getpmsg),
                            SCMP_SYS(putpmsg),
                            SCMP_SYS(security),
                            SCMP_SYS(tuxcall),
                            SCMP_SYS(vserver),
                            SCMP_SYS(nfsservctl)};
constexpr int kObsolete[] = {
    SCMP_SYS(_sysctl),        SCMP_SYS(create_module),    SCMP_SYS(get_kernel_syms), SCMP_SYS(query_module),
    SCMP_SYS(sysfs),          SCMP_SYS(uselib),           SCMP_SYS(ustat),           SCMP_SYS(epoll_ctl_old),
    SCMP_SYS(epoll_wait_old), SCMP_SYS(remap_file_pages), SCMP_SYS(modify_ldt)};
constexpr int kPrivileges[] = {SCMP_SYS(setuid),    SCMP_SYS(setgid),   SCMP_SYS(setpgid),   SCMP_SYS(setsid),
                               SCMP_SYS(setreuid),  SCMP_SYS(setregid), SCMP_SYS(setresuid), SCMP_SYS(setresgid),
                               SCMP_SYS(setgroups), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid),  SCMP_SYS(capset)};
constexpr int kSpawn[] = {SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(execve), SCMP_SYS(execveat)};
constexpr int kResources[] = {
    SCMP_SYS(setpriority),       SCMP_SYS(sched_setparam), SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setattr),
    SCMP_SYS(sched_setaffinity), SCMP_SYS(ioprio_set),     SCMP_SYS(set_mempolicy),      SCMP_SYS(mbind),
    SCMP_SYS(migrate_pages),     SCMP_SYS(move_pages)};

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ALLOW)) {}
  ~Filter() {
    if (context_ != nullptr) seccomp_release(context_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  void refuse(std::span<const int> calls) {
    for (const int call : calls) note(seccomp_rule_add(context_, SCMP_ACT_ERRNO(EPERM), call, 0));
  }
  // Threads are made by clone, too: they are known by their flag. clone3's flags lie in memory, where a filter cannot
  // look; the C library goes back to clone when it is not there.
  void refuse_new_processes() {
    refuse(kSpawn);
    note(seccomp_rule_add(context_, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                          SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)));
    note(seccomp_rule_add(context_, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
  }
  // For every thread that there is.
  Result<> load() {
    if (context_ != nullptr) note(seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1));
    if (context_ != nullptr && failure_ == 0) note(seccomp_load(context_));
    if (context_ != nullptr && failure_ == 0) return {};
    return Error{fmt::format("-sandbox on: the host's kernel takes no filter of system calls: {}; leave the option out",
                             std::strerror(context_ == nullptr ? ENOMEM : -failure_))};
  }

 private:
  // A call that this processor's kernels never had needs no rule.
  void note(int result) {
    if (result < 0 && result != -EDOM && result != -EFAULT && failure_ == 0) failure_ = result;
  }
  scmp_filter_ctx context_;
  int failure_ = 0;
};

#endif

}  // namespace

Result<> filter_system_calls([[maybe_unused]] const SandboxOption& sandbox) {
#ifdef RELIC86_SECCOMP
  Filter filter;
  filter.refuse(kForeign);
  if (!sandbox.obsolete) filter.refuse(kObsolete);
  if (sandbox.elevate_privileges == SandboxOption::Elevate::Deny) filter.refuse(kPrivileges);
  if (!sandbox.spawn) filter.refuse_new_processes();
  if (!sandbox.resource_control) filter.refuse(kResources);
  return filter.load();
#else
  return Error{"-sandbox on: this relic86 was built without libseccomp; install libseccomp-dev and build it again"};
#endif
}

Result<> enter_sandbox(const Options& options) {
  if (!options.sandbox.on) return {};
  const auto restricted = restrict_files(files_of(options));
  if (!restricted) return restricted.error();
  if (restricted.value() == Landlocked::No)
    log::warning("-sandbox on: this kernel has no Landlock: system calls are filtered, files are not");
  return filter_system_calls(options.sandbox);
}

}  // namespace relic86
