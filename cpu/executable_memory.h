// Memory for code that the program makes: mapped twice, once writable and once executable, so that no page is ever
// both (W^X). Hosts that forbid the one mapping with both rights (SELinux's execmem, systemd's
// MemoryDenyWriteExecute) allow this.
#pragma once

#include <cstddef>

#include "base/types.h"

namespace relic86 {

class ExecutableMemory {
 public:
  // Null afterwards if the host does not let a program make code.
  explicit ExecutableMemory(std::size_t bytes);
  ~ExecutableMemory();
  ExecutableMemory(const ExecutableMemory&) = delete;
  ExecutableMemory& operator=(const ExecutableMemory&) = delete;

  // The same bytes.
  u8* writable() const { return writable_; }
  const u8* executable() const { return executable_; }

  // Both mappings are shared with a process that fork makes: whoever writes there changes the code of both.
  bool shared_with_another_process() const;

 private:
  std::size_t bytes_;
  u8* writable_ = nullptr;
  u8* executable_ = nullptr;
  int process_;
};

}  // namespace relic86
