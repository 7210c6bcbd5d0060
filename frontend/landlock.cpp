#include "frontend/landlock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/types.h"

namespace relic86 {

namespace {

// Rights by the version of the interface that brought them; headers of older systems lack the later ones.
constexpr u64 kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr u64 kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr u64 kMake = LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK;
constexpr u64 kNever = LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                       LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
constexpr u64 kTruncate = u64{1} << 14;  // version 3
constexpr int kVersionWithTruncate = 3;
// Of a single file only these can be granted.
constexpr u64 kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE | kWriteFile | kTruncate;

struct Descriptor {
  explicit Descriptor(int number) : fd(number) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd;
};

Error trouble(const char* what) { return {fmt::format("-sandbox: {}: {}", what, std::strerror(errno))}; }

Result<> grant(int ruleset, const std::string& path, u64 rights) {
  const Descriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (place.fd < 0) return {};
  struct stat about {};
  if (::fstat(place.fd, &about) == 0 && !S_ISDIR(about.st_mode)) rights &= kOfFiles;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = rights;
  rule.parent_fd = place.fd;
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0u) != 0)
    return trouble(path.c_str());
  return {};
}

}  // namespace

Result<Landlocked> restrict_files(const FileAccess& access) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0ul, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0) return Landlocked::No;
  const u64 truncate = version >= kVersionWithTruncate ? kTruncate : 0;
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = kRead | kWriteFile | kMake | kNever | truncate;
  const Descriptor ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0u)));
  if (ruleset.fd < 0) return trouble("no Landlock rules");
  for (const std::string& path : access.readable) {
    if (auto granted = grant(ruleset.fd, path, kRead); !granted) return granted.error();
  }
  for (const std::string& path : access.writable) {
    if (auto granted = grant(ruleset.fd, path, kRead | kWriteFile | kMake | truncate); !granted) return granted.error();
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return trouble("no_new_privs");
  if (::syscall(SYS_landlock_restrict_self, ruleset.fd, 0u) != 0) return trouble("Landlock");
  return Landlocked::Yes;
}

}  // namespace relic86
