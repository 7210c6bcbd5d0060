#include "block/qcow2_image.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "block/qcow2_check.h"
#include "tests/block/image_model.h"
#include "tests/block/memory_disk.h"
#include "tests/block/qcow2_builder.h"

namespace relic86 {
namespace {

using test::ImageModel;
using test::MemoryFile;
using test::MemoryFileContent;
using test::Qcow2Builder;
using test::Qcow2Recipe;
using Content = std::shared_ptr<MemoryFileContent>;

class BackingDisk final : public DiskImage {
 public:
  explicit BackingDisk(std::vector<u8> bytes) : content_(bytes.size()), disk_(content_) {
    content_.bytes = std::move(bytes);
  }
  u64 size_bytes() const override { return disk_.size_bytes(); }
  bool read_only() const override { return true; }
  Result<> read(u64 offset, std::span<u8> bytes) override { return disk_.read(offset, bytes); }
  Result<> write(u64, std::span<const u8>) override { return Error{"read-only"}; }
  Result<> flush() override { return {}; }
  ImageInfo info() const override {
    ImageInfo info;
    info.format = "raw";
    return info;
  }
  i64 modified_ns() const override { return 0; }

 private:
  test::MemoryDiskContent content_;
  test::MemoryDisk disk_;
};

Result<std::unique_ptr<Qcow2Image>> open(const Content& content, const std::vector<u8>& below = {}) {
  return Qcow2Image::open(std::make_unique<MemoryFile>(content),
                          {[&](const std::string& name, const std::string&) -> Result<std::unique_ptr<DiskImage>> {
                             if (name.empty()) return std::unique_ptr<DiskImage>();
                             if (below.empty()) return Error{name + ": not found"};
                             return std::unique_ptr<DiskImage>(std::make_unique<BackingDisk>(below));
                           },
                           nullptr});
}
std::unique_ptr<Qcow2Image> opened(const Content& content, const std::vector<u8>& below = {}) {
  auto image = open(content, below);
  EXPECT_TRUE(image.ok()) << image.message();
  return std::move(image).value();
}
Qcow2Findings check(const Content& content) {
  MemoryFile file(content);
  const auto header = read_qcow2_header(file);
  EXPECT_TRUE(header.ok()) << header.message();
  const auto snapshots = read_qcow2_snapshots(file, header.value());
  EXPECT_TRUE(snapshots.ok()) << snapshots.message();
  const auto findings = check_qcow2(file, header.value(), snapshots.value());
  EXPECT_TRUE(findings.ok()) << findings.message();
  return findings.ok() ? findings.value() : Qcow2Findings{~u64{0}, ~u64{0}, ~u64{0}};
}
void expect_clean(const Content& content) {
  const Qcow2Findings findings = check(content);
  EXPECT_EQ(findings.leaked, 0u);
  EXPECT_EQ(findings.missing, 0u);
  EXPECT_EQ(findings.flags, 0u);
}
std::vector<u8> pattern(std::size_t size, u32 seed) {
  std::mt19937 random(seed);
  std::vector<u8> bytes(size);
  for (u8& byte : bytes) byte = static_cast<u8>(random() >> 8 | 1);
  return bytes;
}

struct Shape {
  u32 version, cluster_bits, refcount_order;
  u64 size;
  std::size_t below;  // bytes of the backing file; 0: none
};
class Qcow2Shapes : public testing::TestWithParam<Shape> {};

TEST_P(Qcow2Shapes, RandomAccessesMatchAModelAndLeaveACleanImage) {
  const Shape shape = GetParam();
  const std::vector<u8> below = shape.below != 0 ? pattern(shape.below, 3) : std::vector<u8>();
  const auto content = Qcow2Builder({.version = shape.version,
                                     .cluster_bits = shape.cluster_bits,
                                     .refcount_order = shape.refcount_order,
                                     .size = shape.size,
                                     .backing_file = below.empty() ? "" : "below.img"})
                           .content();
  std::vector<u8> expected(below);
  expected.resize(static_cast<std::size_t>(shape.size));
  ImageModel model(expected, 7 + shape.cluster_bits);
  const u32 longest = 3u << shape.cluster_bits;
  for (int round = 0; round < 4; round++) {
    auto image = opened(content, below);
    model.read_all(*image);
    for (int i = 0; i < 150; i++) model.step(*image, longest);
    if (HasFatalFailure()) return;
    model.read_all(*image);
    image.reset();
    expect_clean(content);
  }
  model.read_all(*opened(content, below));
}

INSTANTIATE_TEST_SUITE_P(All, Qcow2Shapes,
                         testing::Values(Shape{3, 9, 4, 300'000, 0}, Shape{3, 9, 0, 100'352, 50'000},
                                         Shape{3, 10, 1, 333'312, 400'000}, Shape{3, 12, 2, 1'000'448, 0},
                                         Shape{3, 12, 3, 1'000'448, 700'000}, Shape{3, 10, 5, 500'000, 0},
                                         Shape{3, 11, 6, 500'224, 123'456}, Shape{2, 9, 4, 200'704, 0},
                                         Shape{2, 12, 4, 1'000'000, 555'555}, Shape{3, 16, 4, 3'000'320, 0},
                                         Shape{2, 16, 4, 2'000'384, 1'000'000}));

TEST(Qcow2Image, RefcountTableGrowsWithTheFile) {
  // A refcount table of one cluster of 512 bytes counts 8 MiB of clusters.
  const auto content = Qcow2Builder({.cluster_bits = 9, .size = 20 << 20}).content();
  auto image = opened(content);
  const auto bytes = pattern(1 << 20, 5);
  for (u64 at = 0; at < u64{20} << 20; at += bytes.size()) {
    const auto written = image->write(at, bytes);
    ASSERT_TRUE(written.ok()) << written.message();
  }
  image.reset();
  expect_clean(content);
  image = opened(content);
  std::vector<u8> got(bytes.size());
  for (u64 at = 0; at < u64{20} << 20; at += bytes.size()) {
    ASSERT_TRUE(image->read(at, got).ok());
    ASSERT_EQ(got, bytes);
  }
}

TEST(Qcow2Image, DiscardedClustersAreUsedAgain) {
  const auto content = Qcow2Builder({.cluster_bits = 12, .size = 4 << 20}).content();
  auto image = opened(content);
  const auto bytes = pattern(1 << 20, 5);
  ASSERT_TRUE(image->write(0, bytes).ok());
  ASSERT_TRUE(image->flush().ok());
  const std::size_t size = content->bytes.size();
  for (int i = 0; i < 5; i++) {
    ASSERT_TRUE(image->discard(0, bytes.size()).ok());
    ASSERT_TRUE(image->flush().ok());
    ASSERT_TRUE(image->write(2 << 20, bytes).ok());
    ASSERT_TRUE(image->write_zeroes(2 << 20, bytes.size()).ok());
    ASSERT_TRUE(image->flush().ok());
    ASSERT_TRUE(image->write(0, bytes).ok());
    ASSERT_TRUE(image->flush().ok());
  }
  EXPECT_LE(content->bytes.size(), size + 4 * 4096u);
}

// The second cluster of the disk is compressed and spans two clusters of the file, the third starts where it ends.
class Qcow2Compressed : public testing::TestWithParam<bool> {
 protected:
  static std::vector<u8> packed(const std::vector<u8>& content) {
    std::vector<u8> result(content.size() * 2);
    if (GetParam()) {
      result.resize(ZSTD_compress(result.data(), result.size(), content.data(), content.size(), 3));
      return result;
    }
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, -12, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = const_cast<u8*>(content.data());
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = result.data();
    stream.avail_out = static_cast<uInt>(result.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    result.resize(stream.total_out);
    deflateEnd(&stream);
    return result;
  }
  static u64 entry(u64 offset, std::size_t length, u32 cluster_bits) {
    const u64 sectors = (offset + length - 1) / 512 - offset / 512;
    return kQcow2Compressed | sectors << (62 - (cluster_bits - 8)) | offset;
  }
};

TEST_P(Qcow2Compressed, IsReadAndReplaced) {
  constexpr u32 kBits = 12;
  constexpr u64 kCluster = 1 << kBits;
  Qcow2Builder builder({.cluster_bits = kBits, .size = 4 * kCluster, .zstd = GetParam()});
  std::vector<u8> first = pattern(kCluster, 1), second = pattern(kCluster, 2);
  std::fill(first.begin() + 3600, first.end(), u8{7});
  std::fill(second.begin() + 200, second.end(), u8{9});
  const auto first_packed = packed(first), second_packed = packed(second);
  ASSERT_LT(first_packed.size(), kCluster);
  std::vector<u8> data(1000);
  data.insert(data.end(), first_packed.begin(), first_packed.end());
  const std::size_t second_at = data.size();
  data.insert(data.end(), second_packed.begin(), second_packed.end());
  ASSERT_GT(second_at, kCluster) << "the first one spans two clusters";
  const u64 at = builder.append(data);
  const u64 table = builder.append({});
  builder.put(builder.l1_offset(), table | kQcow2Copied);
  builder.put(table + 8, entry(at + 1000, first_packed.size(), kBits));
  builder.put(table + 16, entry(at + second_at, second_packed.size(), kBits));
  builder.count(at / kCluster, 1);
  builder.count(at / kCluster + 1, 2);
  const auto content = builder.content();
  expect_clean(content);

  std::vector<u8> expected(kCluster);
  expected.insert(expected.end(), first.begin(), first.end());
  expected.insert(expected.end(), second.begin(), second.end());
  expected.resize(4 * kCluster);
  ImageModel model(expected, 1);
  auto image = opened(content);
  model.read_all(*image);
  model.write(*image, {kCluster + 100, 50});
  model.read_all(*image);
  image.reset();
  expect_clean(content);
  model.read_all(*opened(content));

  image = opened(content);
  model.write_zeroes(*image, {2 * kCluster, kCluster});
  image.reset();
  expect_clean(content);

  auto damaged = builder.content();
  damaged->bytes[static_cast<std::size_t>(at) + 1010] ^= 0x55;
  std::fill_n(damaged->bytes.begin() + static_cast<std::ptrdiff_t>(at) + 1100, 500, u8{0xFF});
  std::vector<u8> got(kCluster);
  const auto read = opened(damaged)->read(kCluster, got);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.message().find("cannot be expanded"), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(DeflateAndZstd, Qcow2Compressed, testing::Bool());

TEST(Qcow2Image, ZeroClustersThatHaveAPlaceAreWrittenThere) {
  Qcow2Builder builder({.cluster_bits = 12, .size = 4 << 12});
  const u64 data = builder.append(pattern(4096, 1));
  const u64 table = builder.append({});
  builder.put(builder.l1_offset(), table | kQcow2Copied);
  builder.put(table, data | kQcow2Copied | kQcow2Zero);
  const auto content = builder.content();
  ImageModel model(std::vector<u8>(4 << 12), 1);
  const std::size_t size = content->bytes.size();
  auto image = opened(content);
  model.read_all(*image);
  model.write(*image, {10, 20});
  model.read_all(*image);
  image.reset();
  model.read_all(*opened(content));
  EXPECT_EQ(content->bytes.size(), size);
  expect_clean(content);
}

TEST(Qcow2Image, SubclustersAreReadAndNotWritten) {
  constexpr u64 kCluster = 1 << 14, kSub = kCluster / 32;
  Qcow2Builder builder({.cluster_bits = 14,
                        .size = 2 * kCluster,
                        .incompatible = Qcow2Header::kExtendedL2,
                        .backing_file = "below.img"});
  const auto data = pattern(kCluster, 1), below = pattern(2 * kCluster, 2);
  const u64 host = builder.append(data);
  const u64 table = builder.append({});
  builder.put(builder.l1_offset(), table | kQcow2Copied);
  builder.put(table, host | kQcow2Copied);
  builder.put(table + 8, u64{0b1010} | u64{0b0100} << 32);  // 1 and 3 have data, 2 is zero
  std::vector<u8> expected = below;
  std::copy_n(data.begin() + kSub, kSub, expected.begin() + kSub);
  std::fill_n(expected.begin() + 2 * kSub, kSub, u8{0});
  std::copy_n(data.begin() + 3 * kSub, kSub, expected.begin() + 3 * kSub);
  const auto content = builder.content();
  EXPECT_NE(open(content, below).message().find("extended_l2"), std::string::npos);
  content->read_only = true;
  ImageModel(expected, 1).read_all(*opened(content, below));
}

// A snapshot of what the disk holds, made as QEMU does: L1 table copied, everything counted twice, flags cleared.
void add_snapshot(const Content& content) {
  MemoryFile file(content);
  const auto header = read_qcow2_header(file).value();
  auto map = Qcow2Map::load(file, header, header.l1_offset, header.l1_entries).value();
  auto refcounts = Qcow2Refcounts::load(file, header).value();
  const u64 cluster = header.cluster_size();
  const u64 l1_clusters = (header.l1_entries * u64{8} + cluster - 1) / cluster;
  ASSERT_EQ(l1_clusters, 1u);
  const u64 l1_copy = refcounts.allocate().value(), table_place = refcounts.allocate().value();
  std::vector<u8> l1(static_cast<std::size_t>(cluster));
  for (std::size_t i = 0; i < map.l1().size(); i++) {
    const u64 table = map.l1()[i] & kQcow2OffsetMask;
    if (table == 0) continue;
    store_be<u64>(l1, i * 8, table);
    ASSERT_TRUE(refcounts.set(table / cluster, refcounts.get(table / cluster).value() + 1).ok());
    const auto entries = map.tables().get(table).value();
    for (std::size_t at = 0; at < entries.size(); at += 8) {
      const u64 entry = load_be<u64>(entries, at), host = entry & kQcow2OffsetMask;
      if (host == 0) continue;
      ASSERT_TRUE(refcounts.set(host / cluster, refcounts.get(host / cluster).value() + 1).ok());
      store_be<u64>(entries, at, entry & ~kQcow2Copied);
    }
    map.tables().mark_dirty(table);
  }
  ASSERT_TRUE(map.write_back_tables().ok());
  ASSERT_TRUE(refcounts.write_back().ok());
  ASSERT_TRUE(file.write(l1_copy, l1).ok());
  ASSERT_TRUE(file.write(header.l1_offset, l1).ok());
  std::vector<u8> row(static_cast<std::size_t>(cluster));
  store_be<u64>(row, 0, l1_copy);
  store_be<u32>(row, 8, header.l1_entries);
  store_be<u16>(row, 12, 1);
  store_be<u16>(row, 14, 4);
  store_be<u32>(row, 16, 1'700'000'000);
  store_be<u32>(row, 36, 16);
  store_be<u64>(row, 48, header.size);
  const std::string names = "1base";
  std::copy(names.begin(), names.end(), row.begin() + 56);
  ASSERT_TRUE(file.write(table_place, row).ok());
  store_be<u32>(content->bytes, 60, 1);
  store_be<u64>(content->bytes, 64, table_place);
}

TEST(Qcow2Image, SnapshotsInsideKeepWhatTheyHold) {
  const auto content = Qcow2Builder({.cluster_bits = 10, .size = 100'352}).content();
  ImageModel model(std::vector<u8>(100'352), 5);
  {
    auto image = opened(content);
    for (int i = 0; i < 60; i++) model.write(*image, model.random_range(5000));
  }
  const std::vector<u8> before = model.content();
  add_snapshot(content);
  expect_clean(content);
  {
    auto image = opened(content);
    const ImageInfo info = image->info();
    ASSERT_EQ(info.snapshots.size(), 1u);
    EXPECT_EQ(info.snapshots[0].id, "1");
    EXPECT_EQ(info.snapshots[0].name, "base");
    EXPECT_EQ(info.snapshots[0].date_seconds, 1'700'000'000u);
    for (int i = 0; i < 200; i++) model.step(*image, 5000);
    model.read_all(*image);
  }
  expect_clean(content);
  model.read_all(*opened(content));
  // The snapshot's tables, as the disk's.
  const auto snapshot = read_qcow2_snapshots(*std::make_unique<MemoryFile>(content),
                                             read_qcow2_header(*std::make_unique<MemoryFile>(content)).value())
                            .value()
                            .snapshots[0];
  auto old = std::make_shared<MemoryFileContent>(*content);
  store_be<u64>(old->bytes, 40, snapshot.l1_offset);
  old->read_only = true;
  ImageModel(before, 1).read_all(*opened(old));
}

TEST(Qcow2Image, RefcountsThatLagBehindAreMended) {
  const auto content = Qcow2Builder({.cluster_bits = 9, .size = 300'032}).content();
  ImageModel model(std::vector<u8>(300'032), 9);
  {
    auto image = opened(content);
    for (int i = 0; i < 100; i++) model.write(*image, model.random_range(3000));
  }
  // As a program with lazy refcounts leaves it that was killed: nothing but the header's part is counted.
  MemoryFile file(content);
  const auto header = read_qcow2_header(file).value();
  const u64 first_block = load_be<u64>(content->bytes, header.refcount_table_offset);
  std::fill_n(content->bytes.begin() + static_cast<std::ptrdiff_t>(first_block) + 20, 400, u8{0});
  store_be<u64>(content->bytes, 72, header.incompatible | Qcow2Header::kDirty);
  EXPECT_GT(check(content).missing, 0u);
  auto reader = std::make_shared<MemoryFileContent>(*content);
  reader->read_only = true;
  EXPECT_TRUE(opened(reader)->info().dirty);
  model.read_all(*opened(reader));
  {
    auto image = opened(content);
    EXPECT_FALSE(image->info().dirty);
    model.read_all(*image);
    for (int i = 0; i < 20; i++) model.write(*image, model.random_range(3000));
  }
  expect_clean(content);
  model.read_all(*opened(content));
}

TEST(Qcow2Image, MissingRefcountBlocksAreMended) {
  const auto content = Qcow2Builder({.cluster_bits = 9, .size = 300'032}).content();
  ImageModel model(std::vector<u8>(300'032), 9);
  {
    auto image = opened(content);
    for (u64 at = 0; at < 300'032; at += 1024) model.write(*image, {at, 1024});
  }
  MemoryFile file(content);
  const auto header = read_qcow2_header(file).value();
  ASSERT_NE(load_be<u64>(content->bytes, header.refcount_table_offset + 8), 0u);
  store_be<u64>(content->bytes, header.refcount_table_offset + 8, 0);
  store_be<u64>(content->bytes, 72, header.incompatible | Qcow2Header::kDirty);
  opened(content).reset();
  expect_clean(content);
  model.read_all(*opened(content));
}

TEST(Qcow2Image, AFullDiskLosesNothing) {
  const auto empty = Qcow2Builder({.cluster_bits = 9, .size = 100'352}).content();
  for (u64 limit = 1; limit < 60; limit++) {
    const auto content = std::make_shared<MemoryFileContent>(*empty);
    auto image = opened(content);
    ASSERT_TRUE(image->write(1000, pattern(700, 1)).ok());
    ASSERT_TRUE(image->flush().ok());
    content->fail_after_changes = limit;
    bool failed = false;
    for (u64 at = 0; at < 90'000 && !failed; at += 1500) {
      failed = !image->write(at + 5000, pattern(1500, static_cast<u32>(at))).ok();
      if (at % 6000 == 0) failed = !image->flush().ok() || failed;
    }
    EXPECT_TRUE(failed);
    std::vector<u8> got(700);
    ASSERT_TRUE(image->read(1000, got).ok());
    EXPECT_EQ(got, pattern(700, 1));
    content->fail_after_changes = ~u64{0};  // somebody made room
    ASSERT_TRUE(image->write(50'000, pattern(3000, 2)).ok());
    image.reset();
    expect_clean(content);
    got.resize(3000);
    ASSERT_TRUE(opened(content)->read(50'000, got).ok());
    EXPECT_EQ(got, pattern(3000, 2));
  }
}

TEST(Qcow2Image, WhatCannotBeOpenedSaysWhy) {
  struct Case {
    const char* what;
    std::function<void(std::vector<u8>&)> spoil;
    const char* message;
  };
  const auto put32 = [](std::size_t at, u32 number) {
    return [=](std::vector<u8>& bytes) { store_be<u32>(bytes, at, number); };
  };
  const auto put64 = [](std::size_t at, u64 number) {
    return [=](std::vector<u8>& bytes) { store_be<u64>(bytes, at, number); };
  };
  const Case cases[] = {
      {"no magic", put32(0, 1), "is not a qcow2 image"},
      {"version", put32(4, 4), "version 4"},
      {"cluster bits", put32(20, 8), "clusters of 2^8 bytes"},
      {"cluster bits", put32(20, 60), "clusters of 2^60 bytes"},
      {"size", put64(24, ~u64{0}), "a disk of"},
      {"L1 too short", put64(24, u64{1} << 40), "too short for the disk"},
      {"encrypted", put32(32, 1), "is encrypted"},
      {"L1 huge", put32(36, ~u32{0}), "an L1 table of 4294967295 entries"},
      {"L1 elsewhere", put64(40, u64{1} << 40), "the L1 table is not within the file"},
      {"L1 not aligned", put64(40, 1537), "the L1 table is not within the file"},
      {"refcount table", put64(48, u64{1} << 50), "the refcount table is not within the file"},
      {"refcount table", put32(56, 1000000), "the refcount table is not within the file"},
      {"no refcount table", put32(56, 0), "the refcount table is not within the file"},
      {"snapshots", put32(60, 70000), "the table of snapshots"},
      {"snapshots", put32(60, 5), "table of snapshots is not sound"},
      {"backing name", put64(8, 508), "the backing file's name"},
      {"backing name", put32(16, 5000), "the backing file's name"},
      {"data file", put64(72, 4), "data_file"},
      {"unknown", put64(72, u64{1} << 40), "feature 40"},
      {"corrupt", put64(72, 2), "is marked as corrupt"},
      {"refcount bits", put32(96, 7), "refcounts of 2^7 bits"},
      {"header length", put32(100, 5000), "a header of 5000 bytes"},
      {"extension", put64(112, 0x12345678'7FFFFFFF), "a header extension is cut short"},
      {"cut short", [](std::vector<u8>& bytes) { bytes.resize(60); }, "the header is cut short"},
      {"cut short", [](std::vector<u8>& bytes) { bytes.resize(700); }, "is not within the file"},
  };
  for (const Case& row : cases) {
    Qcow2Builder builder({.size = 300'000, .backing_file = "below.img"});
    row.spoil(builder.bytes());
    const auto image = open(builder.content(), pattern(1000, 1));
    ASSERT_FALSE(image.ok()) << row.what;
    EXPECT_NE(image.message().find(row.message), std::string::npos) << row.what << ": " << image.message();
    EXPECT_EQ(image.message().find("memory.img: "), 0u) << image.message();
  }
  const auto missing = open(Qcow2Builder({.backing_file = "gone.img"}).content());
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.message(), "memory.img: its backing file gone.img: not found");
}

TEST(Qcow2Image, DamagedTablesAreErrorsOfTheAccessAlone) {
  Qcow2Builder builder({.cluster_bits = 9, .size = 100'352});
  const u64 table = builder.append({});
  builder.put(builder.l1_offset(), table | kQcow2Copied);
  builder.put(table, (u64{1} << 40) | kQcow2Copied);           // beyond the file
  builder.put(table + 8, builder.l1_offset() | kQcow2Copied);  // the L1 table as the guest's data
  builder.put(builder.l1_offset() + 8, (u64{1} << 45) | kQcow2Copied);
  const auto content = builder.content();
  auto image = opened(content);
  std::vector<u8> bytes(512);
  EXPECT_NE(image->read(0, bytes).message().find("is damaged"), std::string::npos);
  EXPECT_NE(image->write(512, bytes).message().find("a table at"), std::string::npos);
  EXPECT_NE(image->read(32768, bytes).message().find("is damaged"), std::string::npos);
  EXPECT_TRUE(image->read(1024, bytes).ok());
  EXPECT_TRUE(image->write(1024, bytes).ok());
  EXPECT_FALSE(image->read(100'352, bytes).ok());
}

TEST(Qcow2Image, CountsThatCallATableFreeStopTheWrite) {
  Qcow2Builder builder({.cluster_bits = 9, .size = 100'352});
  builder.count(0, 0);
  builder.count(1, 0);
  builder.count(2, 0);
  const auto content = builder.content();
  const auto before = content->bytes;
  auto image = opened(content);
  const auto written = image->write(0, std::vector<u8>(512, 1));
  ASSERT_FALSE(written.ok());
  EXPECT_NE(written.message().find("call a table's cluster free"), std::string::npos);
  EXPECT_EQ(content->bytes, before);
}

}  // namespace
}  // namespace relic86
