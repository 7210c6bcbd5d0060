#include "base/output_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace relic86 {

namespace {

constexpr mode_t kAllPermissions = 07777, kNewFile = 0666;
constexpr int kReaderPatience = 100;  // ms that a reader may take nothing

Error cause() { return {std::strerror(errno)}; }

mode_t current_umask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path) {
  struct stat about {};
  const bool there = ::stat(path.c_str(), &about) == 0;
  if (there && !S_ISREG(about.st_mode)) {
    const int file = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0 && errno == ENXIO) return Error{"nobody reads it"};
    if (file < 0) return cause();
    return OutputFile(path, "", file);
  }
  // A link leads to the file that is meant; a link to nothing is written through.
  std::error_code failure;
  const std::filesystem::path target = there ? std::filesystem::canonical(path, failure) : std::filesystem::path(path);
  const bool in_place = failure || (!there && std::filesystem::is_symlink(path, failure)) ||
                        (there && (about.st_nlink > 1 || ::access(path.c_str(), W_OK) != 0));
  if (!in_place) {
    std::string temporary = target.string() + ".XXXXXX";
    const int file = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (file >= 0) {
      ::fchmod(file, there ? about.st_mode & kAllPermissions : kNewFile & ~current_umask());
      return OutputFile(target.string(), std::move(temporary), file);
    }
  }
  // The folder takes no new file, but this one may be written to.
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kNewFile);
  if (file < 0) return cause();
  return OutputFile(path, "", file);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, "")),
      file_(std::exchange(other.file_, -1)) {}

OutputFile::~OutputFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<> OutputFile::write(std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return cause();
    pollfd wait{file_, POLLOUT, 0};
    if (::poll(&wait, 1, kReaderPatience) <= 0) return Error{"its reader takes nothing"};
  }
  return {};
}

Result<> OutputFile::commit() {
  const int file = std::exchange(file_, -1);
  if (::close(file) != 0) return cause();
  if (temporary_.empty()) return {};
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return cause();
  temporary_.clear();
  return {};
}

}  // namespace relic86
