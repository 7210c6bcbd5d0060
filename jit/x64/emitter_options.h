#pragma once

#include "base/types.h"

namespace relic86::jit::x64 {

// Which direct branches count how often they are taken (jit/region/path.h).
enum class Counted : u8 { Nothing, Backward, Everything };

// Optimisations that can be switched off.
struct EmitterOptions {
  bool share = true;       // neighbouring accesses share one check of their page
  bool lazy_flags = true;  // flags are left as a record where the target allows it
  bool returns = true;     // calls and returns use the host's
  bool cross_page = true;  // direct branches to other pages are patched jumps behind a check of the page
  bool fill = true;        // page tables are walked by fixed code
  bool aside = true;       // so are pages without plain accesses looked at
  bool watched = true;     // and stores to pages with code are made by such code
  bool quick = true;       // fixed code fills slots of the inline table for 64-bit code
  bool jumps = true;       // indirect branches look into the jump cache first
  bool copies = true;      // a block keeps copies of R8 to R15 in temporaries
  bool fusion = true;      // nothing stands between a comparison and its branch, which hosts then carry out as one
  bool denormals = true;   // x87 loads of denormal numbers do without the host's microcode
  Counted counted = Counted::Nothing;
  i32 heat = 0;  // how often such a branch goes to its target before that may become a region's head
};

}  // namespace relic86::jit::x64
