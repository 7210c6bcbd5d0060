// A file on the host that the user named, written as a whole. A regular file, or one that is not there yet, gets its
// name only once it is complete: what was there before stays whole until then. FIFOs, terminals and the like are
// written to without waiting for who reads them.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

class OutputFile {
 public:
  // Errors say the cause alone ("Permission denied"): the caller names option and file.
  static Result<OutputFile> create(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();  // without commit(): a regular file is as before

  Result<> write(std::span<const u8> bytes);
  Result<> commit();

 private:
  OutputFile(std::string path, std::string temporary, int file)
      : path_(std::move(path)), temporary_(std::move(temporary)), file_(file) {}

  std::string path_;
  std::string temporary_;  // empty: written in place
  int file_ = -1;
};

}  // namespace relic86
