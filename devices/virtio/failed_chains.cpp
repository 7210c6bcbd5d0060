#include "devices/virtio/failed_chains.h"

#include "base/byte_order.h"

namespace relic86 {

void FailedChains::state(StateArchive& archive, unsigned first, unsigned end, std::size_t most) {
  constexpr std::size_t kBytes = 4;  // queue, head
  std::vector<u8> bytes(chains_.size() * kBytes);
  for (std::size_t i = 0; i < chains_.size(); i++) {
    store_le(bytes, i * kBytes, chains_[i].queue);
    store_le(bytes, i * kBytes + 2, chains_[i].head);
  }
  archive.resizable("to_be_retried", bytes);
  if (!archive.loading()) return;
  chains_.clear();
  for (std::size_t at = 0; at + kBytes <= bytes.size() && chains_.size() < most; at += kBytes) {
    const Chain chain{load_le<u16>(bytes, at), load_le<u16>(bytes, at + 2)};
    if (chain.queue >= first && chain.queue < end) chains_.push_back(chain);
  }
}

}  // namespace relic86
