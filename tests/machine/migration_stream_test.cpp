#include "snapshot/migration_stream.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string>

#include "base/state_archive.h"

namespace relic86 {
namespace {

constexpr u64 kRam = 1 << 20;

struct Received final : MigrationReader::Target {
  Result<> identity(std::string_view text) override {
    if (text != wanted) return Error{"another machine"};
    return {};
  }
  u64 memory_size() const override { return kRam; }
  void page(u64 offset, const u8* content) override {
    ASSERT_LE(offset, kRam - kPageSize);
    pages[offset] = content == nullptr ? std::string(kPageSize, '\0')
                                       : std::string(reinterpret_cast<const char*>(content), kPageSize);
  }
  Result<> state(std::vector<u8> bytes) override {
    saved = std::move(bytes);
    return {};
  }
  std::string wanted = "memory=1 MiB\n";
  std::map<u64, std::string> pages;
  std::vector<u8> saved;
};

std::vector<u8> sample() {
  auto store = BackingStore::create(kRam, 0).value();
  std::memset(store.host(BackingOffset(0x3000)), 7, kPageSize);
  std::memset(store.host(BackingOffset(kRam - kPageSize)), 9, kPageSize);
  std::vector<u8> out;
  MigrationWriter writer(out);
  writer.header();
  writer.identity("memory=1 MiB\n");
  EXPECT_EQ(writer.pages(store, 0, 0b1101), kPageSize);
  EXPECT_EQ(writer.pages(store, kRam - kMigrationChunk, u64{1} << 63), kPageSize);
  writer.state(std::vector<u8>{1, 2, 3});
  writer.end(true);
  return out;
}

TEST(MigrationStream, ArrivesInPiecesOfAnySize) {
  const auto stream = sample();
  for (const std::size_t piece : {std::size_t{1}, std::size_t{17}, std::size_t{4096}, stream.size()}) {
    Received received;
    MigrationReader reader(received);
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      EXPECT_FALSE(reader.finished());
      ASSERT_TRUE(reader.take(std::span(stream).subspan(at, std::min(piece, stream.size() - at))).ok());
    }
    EXPECT_TRUE(reader.finished());
    EXPECT_TRUE(reader.ran());
    EXPECT_TRUE(reader.end_of_stream().ok());
    ASSERT_EQ(received.pages.size(), 4u);
    EXPECT_EQ(received.pages[0], std::string(kPageSize, '\0'));
    EXPECT_EQ(received.pages[0x3000], std::string(kPageSize, '\x07'));
    EXPECT_EQ(received.pages[kRam - kPageSize], std::string(kPageSize, '\x09'));
    EXPECT_EQ(received.saved, (std::vector<u8>{1, 2, 3}));
  }
}

TEST(MigrationStream, IsNotWholeWhereItIsCut) {
  const auto stream = sample();
  for (std::size_t length = 0; length < stream.size(); length += 61) {
    Received received;
    MigrationReader reader(received);
    EXPECT_TRUE(reader.take(std::span(stream).first(length)).ok());
    EXPECT_FALSE(reader.end_of_stream().ok()) << length;
  }
}

// Whatever byte is another one, the machine is not taken for whole and sound.
TEST(MigrationStream, ChangesAreSeen) {
  const auto stream = sample();
  std::mt19937 random(1);
  for (int i = 0; i < 2000; i++) {
    auto changed = stream;
    const std::size_t at = random() % changed.size();
    if (at >= 12 && at < 16) continue;  // the header's spare word
    changed[at] ^= static_cast<u8>(1u << random() % 8);
    Received received;
    MigrationReader reader(received);
    const auto taken = reader.take(changed);
    EXPECT_FALSE(taken.ok() && reader.end_of_stream().ok()) << at;
  }
}

TEST(MigrationStream, SaysWhatIsWrong) {
  const auto complaint = [](std::vector<u8> stream) {
    Received received;
    MigrationReader reader(received);
    return reader.take(stream).message();
  };
  EXPECT_NE(complaint({'Q', 'E', 'V', 'M'}).find("no migrating machine of relic86"), std::string::npos);
  auto other = sample();
  other[8] = 9;
  EXPECT_NE(complaint(other).find("format 9"), std::string::npos);
  auto longer = sample();
  longer.push_back(0);
  EXPECT_NE(complaint(longer).find("behind its end"), std::string::npos);
  Received received;
  received.wanted = "memory=2 MiB\n";
  MigrationReader reader(received);
  EXPECT_EQ(reader.take(sample()).message(), "another machine");
}

}  // namespace
}  // namespace relic86
