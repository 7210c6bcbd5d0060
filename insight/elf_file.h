// An ELF file that a library reads by its descriptor.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/result.h"

namespace relic86 {

class ElfFile {
 public:
  // The error is the host's reason.
  static Result<ElfFile> open(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return Error{std::strerror(errno)};
    return ElfFile(descriptor);
  }
  ElfFile(ElfFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;
  ElfFile& operator=(ElfFile&&) = delete;
  ~ElfFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  int descriptor() const { return descriptor_; }

 private:
  explicit ElfFile(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace relic86
