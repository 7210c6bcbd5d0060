// Which chains wait for the host's disk: what a saved machine has of them, and what a damaged one may.
#include "devices/virtio/failed_chains.h"

#include <gtest/gtest.h>

namespace relic86 {
namespace {

constexpr unsigned kFirst = 2, kEnd = 4;
constexpr std::size_t kMost = 8;

std::vector<u8> saved(FailedChains& chains) {
  StateWriter writer;
  chains.state(writer, kFirst, kEnd, kMost);
  return writer.data();
}

std::vector<std::pair<unsigned, unsigned>> loaded(FailedChains& from) {
  FailedChains other;
  other.add(kFirst, 99);  // what was there before goes
  const auto state = saved(from);
  StateReader reader = StateReader::parse(state).value();
  other.state(reader, kFirst, kEnd, kMost);
  EXPECT_EQ(reader.complaint(), "");
  std::vector<std::pair<unsigned, unsigned>> result;
  for (const FailedChains::Chain& chain : other.take()) result.emplace_back(chain.queue, chain.head);
  return result;
}

using Chains = std::vector<std::pair<unsigned, unsigned>>;

TEST(FailedChains, ComeBackInTheirOrder) {
  FailedChains chains;
  EXPECT_EQ(loaded(chains), Chains());
  chains.add(3, 0x1234);
  chains.add(2, 0);
  chains.add({3, 0xFFFF});
  EXPECT_EQ(loaded(chains), (Chains{{3, 0x1234}, {2, 0}, {3, 0xFFFF}}));
  EXPECT_EQ(chains.take().size(), 3u);
  EXPECT_TRUE(chains.take().empty());
}

TEST(FailedChains, OfOtherQueuesAreNotLoaded) {
  FailedChains chains;
  for (const unsigned queue : {0u, 1u, 2u, 3u, 4u, 0xFFFFu}) chains.add(queue, 7);
  EXPECT_EQ(loaded(chains), (Chains{{2, 7}, {3, 7}}));
}

TEST(FailedChains, AreNoMoreThanTheQueueHasDescriptors) {
  FailedChains chains;
  for (u16 head = 0; head < 2 * kMost; head++) chains.add(kFirst, head);
  const auto back = loaded(chains);
  ASSERT_EQ(back.size(), kMost);
  EXPECT_EQ(back.back().second, kMost - 1);
}

}  // namespace
}  // namespace relic86
