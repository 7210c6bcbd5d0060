// The text that says what a VMDK disk is made of (VMware's Virtual Disk Format 5.0), in a file of its own or inside a
// sparse one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct VmdkExtent {
  enum class Kind : u8 { Flat, Sparse, Zero } kind = Kind::Flat;
  bool writable = false;
  u64 bytes = 0;
  std::string file;
  u64 offset = 0;  // in the file, of a flat one
};

struct VmdkDescriptor {
  static constexpr u32 kNoParent = ~u32{0};
  u32 content_id = 0, parent_content_id = kNoParent;
  std::size_t content_id_at = 0;  // where its eight digits stand in the text; 0: nowhere
  std::string parent;
  std::vector<VmdkExtent> extents;
};

// The error is "cause", for the caller to put the file before it.
Result<VmdkDescriptor> parse_vmdk_descriptor(std::string_view text);

}  // namespace relic86
