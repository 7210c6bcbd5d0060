// Requests that the host's disk has failed, and that are carried out again when the machine goes on: which chains of
// which queues. The driver leaves their buffers alone until it is told of them.
#pragma once

#include <utility>
#include <vector>

#include "base/state_archive.h"
#include "base/types.h"

namespace relic86 {

class FailedChains {
 public:
  struct Chain {
    u16 queue = 0, head = 0;
  };

  void add(unsigned queue, u16 head) { chains_.push_back({static_cast<u16>(queue), head}); }
  void add(const Chain& chain) { chains_.push_back(chain); }
  std::vector<Chain> take() { return std::exchange(chains_, {}); }
  void clear() { chains_.clear(); }
  bool empty() const { return chains_.empty(); }
  // Of loaded ones those stay whose queue is one of [first, end). most: a driver has no more under way than there are
  // descriptors.
  void state(StateArchive& archive, unsigned first, unsigned end, std::size_t most);

 private:
  std::vector<Chain> chains_;
};

}  // namespace relic86
