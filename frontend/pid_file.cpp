#include "frontend/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace relic86 {

Result<PidFile> PidFile::create(const std::string& path) {
  PidFile made;
  if (path.empty()) return made;
  const auto trouble = [&](int file, const char* why, const char* mend) {
    if (file >= 0) ::close(file);
    return Error{fmt::format("-pidfile {}: cannot write the file: {}; {}", path, why, mend)};
  };
  // Truncated only once it is ours.
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
  if (file < 0) return trouble(file, std::strerror(errno), "check the folder and its permissions");
  if (::flock(file, LOCK_EX | LOCK_NB) != 0)
    return trouble(file, "a machine that runs has this file", "end that one, or choose another file");
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file, 0) != 0 || ::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return trouble(file, std::strerror(errno), "it must be a file that can be written to");
  made.path_ = path;
  made.file_ = file;
  return made;
}

PidFile::PidFile(PidFile&& other) noexcept
    : path_(std::exchange(other.path_, "")), file_(std::exchange(other.file_, -1)) {}

PidFile::~PidFile() {
  remove();
  if (file_ >= 0) ::close(file_);
}

void PidFile::remove() const {
  if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace relic86
