// -pidfile: there, and locked, while the machine runs.
#pragma once

#include <string>

#include "base/result.h"

namespace relic86 {

class PidFile {
 public:
  // An empty path: none. A file that a running machine has is an error, and stays as it is.
  static Result<PidFile> create(const std::string& path);
  PidFile(PidFile&& other) noexcept;
  PidFile& operator=(PidFile&&) = delete;
  ~PidFile();
  // Safe from any thread.
  void remove() const;

 private:
  PidFile() = default;
  std::string path_;
  int file_ = -1;
};

}  // namespace relic86
