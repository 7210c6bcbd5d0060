#include "block/qcow2_snapshots.h"

#include <fmt/format.h>

#include <array>

#include "base/byte_order.h"

namespace relic86 {

namespace {

constexpr std::size_t kFixedPart = 40;
constexpr u32 kMostExtra = 1024;           // as in QEMU
constexpr u64 kMostL1 = u64{32} << 20;     // bytes of a snapshot's L1 table
constexpr u64 kMostTable = u64{64} << 20;  // bytes of all snapshots' rows

std::string text_at(std::span<const u8> bytes, std::size_t at, std::size_t length) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + static_cast<std::ptrdiff_t>(at + length)};
}

}  // namespace

Result<Qcow2SnapshotTable> read_qcow2_snapshots(ImageFile& file, const Qcow2Header& header) {
  Qcow2SnapshotTable table;
  const auto damaged = [&] {
    return Error{fmt::format(
        "{}: is a damaged qcow2 image: its table of snapshots is not sound; 'qemu-img check' tells more", file.path())};
  };
  const u64 size = file.size_bytes();
  u64 at = header.snapshots_offset;
  for (u32 i = 0; i < header.snapshot_count; i++) {
    std::array<u8, kFixedPart> fixed{};
    if (at > size || size - at < fixed.size() || at - header.snapshots_offset > kMostTable) return damaged();
    if (auto read = file.read(at, fixed); !read) return read.error();
    Qcow2Snapshot snapshot;
    snapshot.l1_offset = load_be<u64>(fixed, 0);
    snapshot.l1_entries = load_be<u32>(fixed, 8);
    const u32 id_length = load_be<u16>(fixed, 12), name_length = load_be<u16>(fixed, 14);
    snapshot.about.date_seconds = load_be<u32>(fixed, 16);
    snapshot.about.date_ns = load_be<u32>(fixed, 20);
    snapshot.about.vm_clock_ns = load_be<u64>(fixed, 24);
    snapshot.about.vm_state_size = load_be<u32>(fixed, 32);
    const u32 extra = load_be<u32>(fixed, 36);
    if (extra > kMostExtra) return damaged();
    std::vector<u8> rest(std::size_t{extra} + id_length + name_length);
    at += fixed.size();
    if (rest.size() > size - at) return damaged();
    if (auto read = file.read(at, rest); !read) return read.error();
    if (extra >= 8) snapshot.about.vm_state_size = load_be<u64>(rest, 0);
    snapshot.about.id = text_at(rest, extra, id_length);
    snapshot.about.name = text_at(rest, std::size_t{extra} + id_length, name_length);
    const u64 l1_bytes = u64{snapshot.l1_entries} * 8;
    if (l1_bytes > kMostL1 || snapshot.l1_offset % header.cluster_size() != 0 || snapshot.l1_offset > size ||
        l1_bytes > size - snapshot.l1_offset)
      return damaged();
    at += rest.size();
    table.bytes = at - header.snapshots_offset;
    at = (at + 7) / 8 * 8;
    table.snapshots.push_back(std::move(snapshot));
  }
  return table;
}

}  // namespace relic86
