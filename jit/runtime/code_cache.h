// Executable memory for translations: W^X by two mappings of the same bytes, bounded.
#pragma once

#include <asmjit/core.h>

#include <memory>

#include "base/types.h"

namespace relic86::jit {

class CodeCache {
 public:
  // one_mapping: writable and executable at once, and private to the process: a forked copy of the machine has its own.
  explicit CodeCache(u64 limit_bytes, bool one_mapping = false);
  ~CodeCache();

  struct Placed {
    const u8* executable = nullptr;  // null: no memory
    u8* writable = nullptr;
    u32 size = 0;
  };
  Placed place(asmjit::CodeHolder& code);
  void release(const u8* executable, u32 size);

  u64 used() const { return used_; }
  bool full() const { return used_ > limit_; }

 private:
  struct Allocator;
  std::unique_ptr<Allocator> allocator_;
  u64 limit_;
  u64 used_ = 0;
};

}  // namespace relic86::jit
