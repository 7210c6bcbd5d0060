// Code that is seldom needed stands after the block's.
#pragma once

#include <functional>
#include <vector>

#include "jit/x64/register_allocator.h"

namespace relic86::jit::x64 {

class DeferredCode {
 public:
  DeferredCode(BlockCode& block, RegisterAllocator& registers) : block_(block), registers_(registers) {}

  // Made for the instruction at which it is deferred.
  template <class Code>
  void add(Code code) {
    pieces_.push_back([this, index = block_.index, places = registers_.places(), code = std::move(code)] {
      block_.index = index;
      registers_.restore(places);
      code();
    });
  }

  void emit() {
    block_.deferring = true;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {  // a piece may defer more
      const auto code = std::move(pieces_[i]);
      code();
    }
  }

 private:
  BlockCode& block_;
  RegisterAllocator& registers_;
  std::vector<std::function<void()>> pieces_;
};

}  // namespace relic86::jit::x64
