// What an NBD client asks of our server, byte by byte as the protocol has it.
#include "block/nbd_session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/byte_order.h"

namespace relic86 {
namespace {

constexpr u32 kOk = 0, kNotPermitted = 1, kIoError = 5, kBadRequest = 22, kNoSpace = 28;
constexpr u16 kRead = 0, kWrite = 1, kDisconnect = 2, kFlush = 3, kTrim = 4, kZeroes = 6, kBlockStatus = 7;

struct Disks final : NbdSession::Disks {
  std::vector<NbdSession::Export> exports() override {
    return {{"disk", "a disk", bytes.size(), true}, {"cd", "", bytes.size(), false}};
  }
  bool open(const std::string& name) override { return name != gone; }
  void submit(BlockRequest request, BlockDone done) override {
    kinds.push_back(request.kind);
    waiting.emplace_back(std::move(request), std::move(done));
    if (!late) answer();
  }
  void extents(u64, u64 length, unsigned most, NbdSession::ExtentsDone done) override {
    std::vector<DiskImage::Extent> runs{{true, 4096}, {false, length - 4096}};
    runs.resize(std::min<std::size_t>(runs.size(), most));
    done(runs);
  }
  void answer() {
    auto [request, done] = std::move(waiting.front());
    waiting.pop_front();
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(request.offset);
    if (fails) return done(std::move(request), Error{"the test wants it"});
    if (request.kind == BlockRequest::Kind::Read) std::copy_n(at, request.bytes.size(), request.bytes.begin());
    if (request.kind == BlockRequest::Kind::Write) std::copy(request.bytes.begin(), request.bytes.end(), at);
    done(std::move(request), {});
  }

  std::vector<u8> bytes = std::vector<u8>(64u << 20, 0xA5);
  std::string gone;
  bool late = false, fails = false;
  std::vector<BlockRequest::Kind> kinds;
  std::deque<std::pair<BlockRequest, BlockDone>> waiting;
};

template <class T>
void put(std::vector<u8>& to, T value) {
  to.resize(to.size() + sizeof value);
  store_be(to, to.size() - sizeof value, value);
}
void put_text(std::vector<u8>& to, std::string_view text) { to.insert(to.end(), text.begin(), text.end()); }

struct NbdSessionTest : testing::Test {
  NbdSessionTest() {
    EXPECT_EQ(text(8), "NBDMAGIC");
    EXPECT_EQ(text(8), "IHAVEOPT");
    EXPECT_EQ(number<u16>(), 3);
    std::vector<u8> flags;
    put(flags, u32{3});
    session.receive(flags);
  }
  std::vector<u8> take(std::size_t count) {
    const auto output = session.output();
    if (output.size() < count) {
      ADD_FAILURE() << "the server says " << output.size() << " bytes, not " << count;
      return std::vector<u8>(count);
    }
    std::vector<u8> taken(output.begin(), output.begin() + static_cast<std::ptrdiff_t>(count));
    session.note_sent(count);
    return taken;
  }
  template <class T>
  T number() {
    return load_be<T>(take(sizeof(T)), 0);
  }
  std::string text(std::size_t count) {
    const auto bytes = take(count);
    return {bytes.begin(), bytes.end()};
  }
  void option(u32 which, std::span<const u8> words = {}) {
    std::vector<u8> bytes;
    put_text(bytes, "IHAVEOPT");
    put(bytes, which);
    put(bytes, static_cast<u32>(words.size()));
    bytes.insert(bytes.end(), words.begin(), words.end());
    for (const u8 byte : bytes) session.receive({&byte, 1});
  }
  // The type of the next reply; its data goes to `data`.
  u32 reply(u32 which) {
    EXPECT_EQ(number<u64>(), 0x3E889045565A9u);
    EXPECT_EQ(number<u32>(), which);
    const u32 type = number<u32>();
    data = take(number<u32>());
    return type;
  }
  void go(std::string_view name, u32 which = 7) {
    std::vector<u8> words;
    put(words, static_cast<u32>(name.size()));
    put_text(words, name);
    put(words, u16{1});
    put(words, u16{3});
    option(which, words);
  }
  void use(std::string_view name) {
    go(name);
    EXPECT_EQ(reply(7), 3u);
    EXPECT_EQ(reply(7), 3u);
    EXPECT_EQ(reply(7), 1u);
  }
  void request(u16 type, u64 offset, u32 length, u16 flags = 0, std::span<const u8> payload = {}) {
    std::vector<u8> bytes;
    put(bytes, u32{0x25609513});
    put(bytes, flags);
    put(bytes, type);
    put(bytes, u64{0x1122334455667788});
    put(bytes, offset);
    put(bytes, length);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    session.receive(bytes);
  }
  u32 error() {
    EXPECT_EQ(number<u32>(), 0x67446698u);
    const u32 value = number<u32>();
    EXPECT_EQ(number<u64>(), 0x1122334455667788u);
    return value;
  }
  u16 chunk() {
    EXPECT_EQ(number<u32>(), 0x668E33EFu);
    EXPECT_EQ(number<u16>(), 1) << "the last one";
    const u16 type = number<u16>();
    EXPECT_EQ(number<u64>(), 0x1122334455667788u);
    data = take(number<u32>());
    return type;
  }

  Disks disks;
  NbdSession session{disks};
  std::vector<u8> data;
};

TEST_F(NbdSessionTest, ExportsAreListedAndShown) {
  option(3);
  EXPECT_EQ(reply(3), 2u);
  EXPECT_EQ(std::string(data.begin() + 4, data.end()), "diska disk");
  EXPECT_EQ(reply(3), 2u);
  EXPECT_EQ(reply(3), 1u);
  go("cd", 6);
  EXPECT_EQ(reply(6), 3u);
  EXPECT_EQ(load_be<u64>(data, 2), disks.bytes.size());
  EXPECT_EQ(load_be<u16>(data, 10) & 3, 3) << "read-only";
  EXPECT_EQ(reply(6), 3u);
  EXPECT_EQ(load_be<u32>(data, 10), 32u << 20);
  EXPECT_EQ(reply(6), 1u);
  EXPECT_EQ(session.used(), nullptr);
  go("nothing");
  EXPECT_EQ(reply(7), 0x80000006u);
  disks.gone = "disk";
  go("disk");
  EXPECT_EQ(reply(7), 0x80000006u);
  option(5);  // TLS
  EXPECT_EQ(reply(5), 0x80000001u);
  option(2);
  EXPECT_EQ(reply(2), 1u);
  EXPECT_TRUE(session.ended());
}

TEST_F(NbdSessionTest, ReadsWritesAndTheRest) {
  use("disk");
  ASSERT_NE(session.used(), nullptr);
  const std::vector<u8> payload(1000, 0x42);
  request(kWrite, 4096, 1000, 0, payload);
  EXPECT_EQ(error(), kOk);
  request(kRead, 4000, 200);
  EXPECT_EQ(error(), kOk);
  const auto read = take(200);
  EXPECT_EQ(read[95], 0xA5);
  EXPECT_EQ(read[96], 0x42);
  request(kWrite, 0, 1, 1, std::vector<u8>{1});  // FUA
  EXPECT_EQ(error(), kOk);
  EXPECT_EQ(disks.kinds.back(), BlockRequest::Kind::Flush);
  request(kFlush, 0, 0);
  EXPECT_EQ(error(), kOk);
  request(kTrim, 0, 4096);
  EXPECT_EQ(error(), kOk);
  request(kZeroes, 4096, 60u << 20);
  EXPECT_EQ(error(), kOk);
  EXPECT_EQ(disks.kinds.back(), BlockRequest::Kind::WriteZeroes);
  disks.fails = true;
  request(kRead, 0, 512);
  EXPECT_EQ(error(), kIoError);
  EXPECT_TRUE(session.output().empty());
  request(kDisconnect, 0, 0);
  EXPECT_TRUE(session.ended());
}

TEST_F(NbdSessionTest, WhatDoesNotFitIsRefused) {
  use("disk");
  const u64 size = disks.bytes.size();
  request(kRead, size, 1);
  EXPECT_EQ(error(), kBadRequest);
  request(kRead, ~u64{0} - 10, 512);
  EXPECT_EQ(error(), kBadRequest);
  request(kRead, 0, (32u << 20) + 1);
  EXPECT_EQ(error(), kBadRequest);
  request(kWrite, size - 1, 2, 0, std::vector<u8>(2));
  EXPECT_EQ(error(), kNoSpace);
  request(kBlockStatus, 0, 512);  // was not negotiated
  EXPECT_EQ(error(), kBadRequest);
  request(77, 0, 0);
  EXPECT_EQ(error(), kBadRequest);
  request(kRead, 0, 512, 0x100);
  EXPECT_EQ(error(), kBadRequest);
  EXPECT_TRUE(disks.kinds.empty());
  request(kWrite, 0, ~u32{0});  // its payload would never come
  EXPECT_TRUE(session.ended());
}

TEST_F(NbdSessionTest, AReadOnlyExportIsNotChanged) {
  use("cd");
  request(kWrite, 0, 4, 0, std::vector<u8>(4));
  EXPECT_EQ(error(), kNotPermitted);
  request(kTrim, 0, 4);
  EXPECT_EQ(error(), kNotPermitted);
  request(kZeroes, 0, 4);
  EXPECT_EQ(error(), kNotPermitted);
  EXPECT_TRUE(disks.kinds.empty());
}

TEST_F(NbdSessionTest, StructuredRepliesTellOfHoles) {
  std::vector<u8> words;
  put(words, u32{4});
  put_text(words, "disk");
  put(words, u32{1});
  put(words, u32{15});
  put_text(words, "base:allocation");
  option(10, words);
  EXPECT_EQ(reply(10), 0x80000003u) << "structured replies come first";
  option(8);
  EXPECT_EQ(reply(8), 1u);
  option(10, words);
  EXPECT_EQ(reply(10), 4u);
  EXPECT_EQ(std::string(data.begin() + 4, data.end()), "base:allocation");
  EXPECT_EQ(reply(10), 1u);
  use("disk");
  request(kBlockStatus, 0, 1u << 20);
  EXPECT_EQ(chunk(), 5);
  ASSERT_EQ(data.size(), 20u);
  EXPECT_EQ(load_be<u32>(data, 4), 4096u);
  EXPECT_EQ(load_be<u32>(data, 8), 0u);
  EXPECT_EQ(load_be<u32>(data, 12), (1u << 20) - 4096);
  EXPECT_EQ(load_be<u32>(data, 16), 3u);
  request(kBlockStatus, 0, 1u << 20, 8);
  EXPECT_EQ(chunk(), 5);
  EXPECT_EQ(data.size(), 12u);
  request(kRead, 512, 512);
  EXPECT_EQ(chunk(), 1);
  EXPECT_EQ(load_be<u64>(data, 0), 512u);
  EXPECT_EQ(data.size(), 520u);
  request(kRead, disks.bytes.size(), 512);
  EXPECT_EQ(chunk(), 0x8001);
  EXPECT_EQ(load_be<u32>(data, 0), kBadRequest);
}

TEST_F(NbdSessionTest, AClientThatReadsNothingGetsNothingMore) {
  use("disk");
  for (int i = 0; i < 10; i++) request(kRead, 0, 20u << 20);
  EXPECT_FALSE(session.takes_input());
  EXPECT_LE(session.output().size(), 64u << 20);
  // What was sent before it stopped is answered once it has read.
  std::size_t read = 0;
  while (!session.output().empty()) {
    const std::size_t piece = std::min<std::size_t>(session.output().size(), 3u << 20);
    read += piece;
    session.note_sent(piece);
  }
  EXPECT_EQ(read, 10 * (16 + (20u << 20)));
  EXPECT_TRUE(session.takes_input());
}

TEST_F(NbdSessionTest, SoManyRequestsAreUnderWayAtOnce) {
  use("disk");
  disks.late = true;
  for (int i = 0; i < 100; i++) request(kRead, 0, 512);
  EXPECT_EQ(disks.waiting.size(), 64u);
  EXPECT_FALSE(session.takes_input());
  for (int i = 0; i < 100; i++) disks.answer();
  EXPECT_EQ(session.output().size(), 100u * (16 + 512));
}

TEST_F(NbdSessionTest, NonsenseEndsTheSession) {
  session.receive(std::vector<u8>(16, 0x20));
  EXPECT_TRUE(session.ended());
  Disks others;
  NbdSession second(others);
  second.receive(std::vector<u8>(4, 0xFF));  // flags that nobody knows
  EXPECT_TRUE(second.ended());
  NbdSession third(others);
  std::vector<u8> bytes;
  put(bytes, u32{3});
  put_text(bytes, "IHAVEOPT");
  put(bytes, u32{7});
  put(bytes, u32{0x40000000});
  third.receive(bytes);
  EXPECT_TRUE(third.ended());
}

}  // namespace
}  // namespace relic86
