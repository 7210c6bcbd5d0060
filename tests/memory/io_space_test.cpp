#include "memory/io_space.h"

#include <gtest/gtest.h>

#include "tests/memory/memory_board.h"

namespace relic86 {
namespace {

using Log = std::vector<RecordingHandler::Access>;

TEST(IoSpace, UnmappedPortsReadAllOnes) {
  IoSpace io;
  EXPECT_EQ(io.read(IoPort(0x300), 1), 0xFFu);
  EXPECT_EQ(io.read(IoPort(0x300), 2), 0xFFFFu);
  EXPECT_EQ(io.read(IoPort(0xFFFF), 4), 0xFFFFFFFFu);
  io.write(IoPort(0x300), 4, 1);
}

TEST(IoSpace, OverlapNamesBothOwnersAndThePort) {
  IoSpace io;
  RecordingHandler a;
  ASSERT_TRUE(io.map_fixed({"alpha", IoPort(0x60), 8, &a, 0, 1}).ok());
  const auto result = io.map_fixed({"beta", IoPort(0x67), 2, &a, 0, 1});
  ASSERT_FALSE(result.ok());
  for (const char* word : {"alpha", "beta", "0x67"}) EXPECT_NE(result.message().find(word), std::string::npos) << word;
  EXPECT_TRUE(io.map_fixed({"gamma", IoPort(0x68), 2, &a, 0, 1}).ok());
}

TEST(IoSpace, WideAccessesAreSplitAscending) {
  IoSpace io;
  RecordingHandler bytes, words;
  ASSERT_TRUE(io.map_fixed({"bytes", IoPort(0x100), 2, &bytes, 3, 1}).ok());
  ASSERT_TRUE(io.map_fixed({"words", IoPort(0x102), 2, &words, 4, 2}).ok());
  io.write(IoPort(0x100), 4, 0x44332211);
  EXPECT_EQ(bytes.log, (Log{{'w', 3, 0, 1, 0x11}, {'w', 3, 1, 1, 0x22}}));
  EXPECT_EQ(words.log, (Log{{'w', 4, 0, 2, 0x4433}}));
  // The upper half runs out of the range: byte by byte, the last one unmapped.
  words.log.clear();
  EXPECT_EQ(io.read(IoPort(0x103), 2), 0xFF00u | 0x12u);
  EXPECT_EQ(words.log, (Log{{'r', 4, 1, 1, 0x12}}));
}

TEST(IoSpace, AccessOverTheEndWrapsToPortZero) {
  IoSpace io;
  RecordingHandler top, bottom;
  ASSERT_TRUE(io.map_fixed({"top", IoPort(0xFFFF), 1, &top, 0, 4}).ok());
  ASSERT_TRUE(io.map_fixed({"bottom", IoPort(0), 1, &bottom, 0, 4}).ok());
  io.write(IoPort(0xFFFF), 2, 0xBBAA);
  EXPECT_EQ(top.log, (Log{{'w', 0, 0, 1, 0xAA}}));
  EXPECT_EQ(bottom.log, (Log{{'w', 0, 0, 1, 0xBB}}));
}

TEST(IoSpace, FixedShadowsMovableAndMovableMoves) {
  IoSpace io;
  RecordingHandler fixed, bar;
  ASSERT_TRUE(io.map_fixed({"fixed", IoPort(0x200), 4, &fixed, 0, 4}).ok());
  const u32 key = io.new_key();
  io.map_movable(key, {"bar", IoPort(0x1F0), 0x20, &bar, 0, 4});
  io.write(IoPort(0x200), 1, 1);
  io.write(IoPort(0x204), 1, 1);
  EXPECT_EQ(fixed.log.size(), 1u);
  EXPECT_EQ(bar.log, (Log{{'w', 0, 0x14, 1, 1}}));
  io.map_movable(key, {"bar", IoPort(0xFFF0), 0x20, &bar, 0, 4});  // cut at the end of the space
  EXPECT_EQ(io.read(IoPort(0x204), 1), 0xFFu);
  EXPECT_EQ(io.read(IoPort(0xFFFF), 1), 0x20u);
  EXPECT_EQ(io.read(IoPort(0), 1), 0xFFu);
  io.map_movable(key, {"bar", IoPort(0), 0, &bar, 0, 4});
  EXPECT_EQ(io.read(IoPort(0xFFF0), 1), 0xFFu);
  EXPECT_NE(io.describe().find("0200-0203 fixed"), std::string::npos);
}

// A device that moves its own ports while it is accessed (a BAR write through an index port).
TEST(IoSpace, HandlerMayRemapWhileAccessed) {
  struct Mover final : RegionHandler {
    IoSpace* io = nullptr;
    u32 key = 0;
    u64 read(RegionId, u64, unsigned) override { return 0; }
    void write(RegionId, u64, unsigned, u64 value) override {
      io->map_movable(key, {"mover", IoPort(static_cast<u16>(value << 8)), 4, this, 0, 1});
    }
  } mover;
  IoSpace io;
  mover.io = &io;
  mover.key = io.new_key();
  io.map_movable(mover.key, {"mover", IoPort(0x100), 4, &mover, 0, 1});
  io.write(IoPort(0x100), 4, 0x05040302);  // after the first byte the rest is unmapped
  EXPECT_EQ(io.read(IoPort(0x200), 1), 0u);
  EXPECT_EQ(io.read(IoPort(0x100), 1), 0xFFu);
}

}  // namespace
}  // namespace relic86
