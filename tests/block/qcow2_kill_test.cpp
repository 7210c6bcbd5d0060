// A recorded sequence of writes, cut at every point: the image that is left must be sound and hold what was flushed.
#include <gtest/gtest.h>

#include "block/qcow2_check.h"
#include "block/qcow2_image.h"
#include "tests/block/qcow2_builder.h"
#include "tests/block/qemu_tools.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

using test::FileChange;
using test::MemoryFile;
using test::MemoryFileContent;
using test::Qcow2Builder;
using Content = std::shared_ptr<MemoryFileContent>;

constexpr u64 kSector = 512, kSectors = 160;

// What happened to the disk, and how many changes of the file had been made when it was done.
struct GuestStep {
  bool flush = false;
  u64 first = 0, count = 0;  // sectors
  u32 value = 0;             // of each; 0: zeros
  std::size_t changes_before = 0, changes_after = 0;
};

struct Recording {
  std::vector<u8> start;
  std::vector<FileChange> changes;
  std::vector<GuestStep> steps;
};

std::unique_ptr<Qcow2Image> opened(const Content& content) {
  auto image = Qcow2Image::open(std::make_unique<MemoryFile>(content),
                                {[](const std::string&, const std::string&) -> Result<std::unique_ptr<DiskImage>> {
                                   return std::unique_ptr<DiskImage>();
                                 },
                                 nullptr});
  EXPECT_TRUE(image.ok()) << image.message();
  return image.ok() ? std::move(image).value() : nullptr;
}

std::vector<u8> sectors(u64 count, u32 value) {
  std::vector<u8> bytes(static_cast<std::size_t>(count * kSector));
  for (std::size_t at = 0; at < bytes.size(); at += 4) store_le<u32>(bytes, at, value);
  return bytes;
}

Recording record(u32 seed, u32 version) {
  Recording recording;
  const auto content = Qcow2Builder({.version = version, .cluster_bits = 10, .size = kSectors * kSector}).content();
  recording.start = content->bytes;
  content->recording = true;
  std::mt19937 random(seed);
  {
    auto image = opened(content);
    for (u32 i = 1; i <= 120; i++) {
      GuestStep step{.changes_before = content->changes.size()};
      step.count = 1 + random() % 12;
      step.first = random() % (kSectors - step.count + 1);
      const u32 kind = random() % 8;
      step.flush = kind < 2;
      if (kind >= 4) step.value = i;
      Result<> done;
      if (step.flush) {
        done = image->flush();
      } else if (step.value != 0) {
        done = image->write(step.first * kSector, sectors(step.count, step.value));
      } else {
        done = image->write_zeroes(step.first * kSector, step.count * kSector);
      }
      EXPECT_TRUE(done.ok()) << done.message();
      step.changes_after = content->changes.size();
      recording.steps.push_back(step);
    }
  }
  recording.changes = std::move(content->changes);
  return recording;
}

// What each sector may hold after a stop: its value at the last flush that was done, or one that was written since.
std::vector<std::vector<u32>> allowed(const Recording& recording, std::size_t cut) {
  std::vector<std::vector<u32>> values(kSectors, {0});
  for (const GuestStep& step : recording.steps) {
    if (step.flush && step.changes_after <= cut) {
      for (auto& sector : values) sector = {sector.back()};
    } else if (!step.flush && step.changes_before <= cut) {
      for (u64 i = step.first; i < step.first + step.count; i++)
        values[static_cast<std::size_t>(i)].push_back(step.value);
    }
  }
  return values;
}

void expect_sound(const Recording& recording, std::size_t cut, std::vector<u8> bytes) {
  SCOPED_TRACE(cut);
  const auto content = std::make_shared<MemoryFileContent>();
  content->bytes = std::move(bytes);
  MemoryFile file(content);
  const auto header = read_qcow2_header(file);
  ASSERT_TRUE(header.ok()) << header.message();
  const auto findings = check_qcow2(file, header.value(), {});
  ASSERT_TRUE(findings.ok()) << findings.message();
  ASSERT_EQ(findings.value().missing, 0u);
  ASSERT_EQ(findings.value().flags, 0u);
  const auto values = allowed(recording, cut);
  auto image = opened(content);
  ASSERT_NE(image, nullptr);
  std::vector<u8> sector(kSector);
  for (u64 i = 0; i < kSectors; i++) {
    ASSERT_TRUE(image->read(i * kSector, sector).ok());
    const u32 value = load_le<u32>(sector, 0);
    const auto& may = values[static_cast<std::size_t>(i)];
    ASSERT_NE(std::find(may.begin(), may.end(), value), may.end()) << "sector " << i << " holds " << value;
    ASSERT_EQ(sector, sectors(1, value));
  }
  // It can be used further.
  ASSERT_TRUE(image->write(3 * kSector, sectors(20, 7777)).ok());
  image.reset();
  const auto later = check_qcow2(file, read_qcow2_header(file).value(), {});
  ASSERT_TRUE(later.ok());
  ASSERT_EQ(later.value().missing, 0u);
}

class Qcow2Kill : public testing::TestWithParam<u32> {};

TEST_P(Qcow2Kill, AKilledProgramLeavesASoundImage) {
  const Recording recording = record(GetParam(), GetParam() % 2 == 0 ? 3 : 2);
  std::vector<u8> bytes = recording.start;
  for (std::size_t cut = 0; cut <= recording.changes.size(); cut++) {
    ASSERT_NO_FATAL_FAILURE(expect_sound(recording, cut, bytes));
    if (cut < recording.changes.size()) MemoryFileContent::apply(bytes, recording.changes[cut]);
  }
}

// Any part of what was written since the file's last flush may be missing. Changes of the length come with what was
// written beyond it.
TEST_P(Qcow2Kill, APowerCutLeavesASoundImage) {
  const Recording recording = record(GetParam(), 3);
  std::mt19937 random(GetParam());
  std::vector<u8> flushed = recording.start;
  std::size_t since = 0;
  for (std::size_t cut = 0; cut <= recording.changes.size(); cut++) {
    for (int variant = 0; variant < 3; variant++) {
      std::vector<u8> bytes = flushed;
      for (std::size_t i = since; i < cut; i++) {
        if (random() % 2 == 0) MemoryFileContent::apply(bytes, recording.changes[i]);
      }
      ASSERT_NO_FATAL_FAILURE(expect_sound(recording, cut, bytes));
    }
    if (cut == recording.changes.size() || recording.changes[cut].kind != FileChange::Kind::Flush) continue;
    for (; since <= cut; since++) MemoryFileContent::apply(flushed, recording.changes[since]);
  }
}
// The judge that others trust: lost clusters are all that it may find.
TEST(Qcow2KillByQemu, CutImagesAreSoundForQemuImg) {
  RELIC86_NEEDS_QEMU_TOOLS();
  constexpr int kLeaksOnly = 3;  // qemu-img check's exit code
  const test::TemporaryFolder folder;
  const Recording recording = record(8, 3);
  std::vector<u8> bytes = recording.start;
  for (std::size_t cut = 0; cut <= recording.changes.size(); cut++) {
    if (cut % 7 == 0) {
      const auto file = folder.write("cut.qcow2", {bytes.begin(), bytes.end()});
      const auto checked = test::run_command_line("qemu-img check -f qcow2 " + file);
      ASSERT_TRUE(checked.code == 0 || checked.code == kLeaksOnly) << "cut at " << cut << ": " << checked.output;
      RELIC86_RUN("qemu-img check -f qcow2 -r leaks {}", file);
    }
    if (cut < recording.changes.size()) MemoryFileContent::apply(bytes, recording.changes[cut]);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Qcow2Kill, testing::Values(1, 2, 3, 4, 5, 6));

}  // namespace
}  // namespace relic86
