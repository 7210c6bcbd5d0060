#include "block/qcow2_header.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "base/byte_order.h"

namespace relic86 {

namespace {

constexpr u32 kMagic = 0x514649FB;  // "QFI", FBh
constexpr u32 kSmallestHeader = 72, kSmallestHeader3 = 104;
constexpr u32 kBackingFormat = 0xE2792ACA, kFeatureNames = 0x6803F857, kBitmaps = 0x23852875;  // header extensions
constexpr u64 kMostL1 = u64{32} << 20;                                                         // bytes, as in QEMU
constexpr u64 kMostRefcountTable = u64{8} << 20;
constexpr u32 kMostSnapshots = 65536, kMostBitmaps = 65535;
constexpr u32 kLongestBackingName = 1023;
constexpr u64 kLongest = u64{1} << 62;

class Reader {
 public:
  explicit Reader(ImageFile& file) : file_(file) {}
  Result<Qcow2Header> read();

 private:
  Error damaged(std::string_view what) const {
    return Error{fmt::format("{}: is a damaged qcow2 image: {}; 'qemu-img check' tells more", file_.path(), what)};
  }
  Error unsupported(std::string_view what) const {
    return Error{fmt::format("{}: {}; convert the image (qemu-img convert -O qcow2)", file_.path(), what)};
  }
  Result<> read_fields(std::span<const u8> bytes);
  Result<> read_features(std::span<const u8> bytes);
  Result<> check_unknown_features(std::span<const u8> bytes);
  Result<> read_extensions(std::span<const u8> bytes);
  Result<> read_backing_file();
  Result<> check();
  // A table of that many bytes lies at a cluster's start and within the file.
  bool table_fits(u64 offset, u64 bytes) const {
    const u64 size = file_.size_bytes();
    return offset % header_.cluster_size() == 0 && offset <= size && bytes <= size - offset;
  }

  ImageFile& file_;
  Qcow2Header header_;
  u32 length_ = kSmallestHeader;
  u64 backing_offset_ = 0;
  u32 backing_length_ = 0, encryption_ = 0;
};

Result<> Reader::read_fields(std::span<const u8> bytes) {
  if (load_be<u32>(bytes, 0) != kMagic) return Error{fmt::format("{}: is not a qcow2 image", file_.path())};
  header_.version = load_be<u32>(bytes, 4);
  if (header_.version != 2 && header_.version != 3)
    return unsupported(fmt::format("is a qcow image of version {}; 2 and 3 are known", header_.version));
  backing_offset_ = load_be<u64>(bytes, 8);
  backing_length_ = load_be<u32>(bytes, 16);
  header_.cluster_bits = load_be<u32>(bytes, 20);
  header_.size = load_be<u64>(bytes, 24);
  encryption_ = load_be<u32>(bytes, 32);
  header_.l1_entries = load_be<u32>(bytes, 36);
  header_.l1_offset = load_be<u64>(bytes, 40);
  header_.refcount_table_offset = load_be<u64>(bytes, 48);
  header_.refcount_table_clusters = load_be<u32>(bytes, 56);
  header_.snapshot_count = load_be<u32>(bytes, 60);
  header_.snapshots_offset = load_be<u64>(bytes, 64);
  if (header_.cluster_bits < 9 || header_.cluster_bits > 21)
    return damaged(fmt::format("clusters of 2^{} bytes", header_.cluster_bits));
  return {};
}

Result<> Reader::read_features(std::span<const u8> bytes) {
  if (header_.version < 3) return {};
  if (bytes.size() < kSmallestHeader3) return damaged("the header is cut short");
  header_.incompatible = load_be<u64>(bytes, 72);
  header_.compatible = load_be<u64>(bytes, 80);
  header_.autoclear = load_be<u64>(bytes, 88);
  header_.refcount_order = load_be<u32>(bytes, 96);
  length_ = load_be<u32>(bytes, 100);
  if (length_ < kSmallestHeader3 || length_ > bytes.size() || length_ % 8 != 0)
    return damaged(fmt::format("a header of {} bytes", length_));
  if ((header_.incompatible & Qcow2Header::kCompressionType) == 0) return {};
  const u8 type = length_ > kSmallestHeader3 ? bytes[kSmallestHeader3] : 0;
  if (type > 1) return unsupported(fmt::format("is compressed in way {}; zlib and zstd are known", type));
  header_.compression = type == 1 ? Qcow2Header::Compression::Zstd : Qcow2Header::Compression::Zlib;
  return {};
}

// The image may name the features that it uses.
Result<> Reader::check_unknown_features(std::span<const u8> bytes) {
  constexpr u64 kKnown = Qcow2Header::kDirty | Qcow2Header::kCorrupt | Qcow2Header::kDataFile |
                         Qcow2Header::kCompressionType | Qcow2Header::kExtendedL2;
  constexpr std::size_t kRow = 48;
  const u64 unknown = header_.incompatible & ~kKnown;
  if (unknown == 0) return {};
  std::string names;
  for (unsigned bit = 0; bit < 64; bit++) {
    if ((unknown >> bit & 1) == 0) continue;
    std::string name = fmt::format("feature {}", bit);
    for (std::size_t at = length_; at + 8 <= bytes.size();) {
      const u32 type = load_be<u32>(bytes, at), size = load_be<u32>(bytes, at + 4);
      at += 8;
      if (type == 0 || size > bytes.size() - at) break;
      for (std::size_t row = at; type == kFeatureNames && row + kRow <= at + size; row += kRow) {
        if (bytes[row] != 0 || bytes[row + 1] != bit) continue;
        name.clear();
        for (std::size_t i = 2; i < kRow && bytes[row + i] >= ' ' && bytes[row + i] < 0x7F; i++)
          name += static_cast<char>(bytes[row + i]);
      }
      at += (std::size_t{size} + 7) / 8 * 8;
    }
    names += (names.empty() ? "" : ", ") + name;
  }
  return unsupported(fmt::format("uses features of qcow2 that are not known here ({})", names));
}

Result<> Reader::read_extensions(std::span<const u8> bytes) {
  for (std::size_t at = length_; at + 8 <= bytes.size();) {
    const u32 type = load_be<u32>(bytes, at), size = load_be<u32>(bytes, at + 4);
    at += 8;
    if (type == 0) return {};
    if (size > bytes.size() - at) return damaged("a header extension is cut short");
    const auto content = bytes.subspan(at, size);
    if (type == kBackingFormat) header_.backing_format.assign(content.begin(), content.end());
    if (type == kBitmaps && (header_.autoclear & Qcow2Header::kBitmapsConsistent) != 0) {
      if (size != 24) return damaged("the extension of dirty bitmaps has another length than 24 bytes");
      header_.bitmap_count = load_be<u32>(content, 0);
      header_.bitmap_directory_size = load_be<u64>(content, 8);
      header_.bitmap_directory_offset = load_be<u64>(content, 16);
      if (header_.bitmap_count > kMostBitmaps ||
          !table_fits(header_.bitmap_directory_offset, header_.bitmap_directory_size))
        return damaged("the directory of dirty bitmaps is not within the file");
    }
    at += (std::size_t{size} + 7) / 8 * 8;
  }
  return {};
}

Result<> Reader::read_backing_file() {
  if (backing_offset_ == 0 || backing_length_ == 0) return {};
  if (backing_length_ > kLongestBackingName || backing_offset_ > header_.cluster_size() - backing_length_)
    return damaged("the backing file's name is not within the first cluster");
  std::vector<u8> name(backing_length_);
  if (auto read = read_padded(file_, backing_offset_, name); !read) return read;
  header_.backing_file.assign(name.begin(), name.end());
  if (header_.backing_file.find('\0') != std::string::npos) return damaged("the backing file's name holds zeros");
  return {};
}

Result<> Reader::check() {
  const u64 cluster = header_.cluster_size();
  if (encryption_ != 0)
    return Error{fmt::format("{}: is encrypted; decrypt it first (qemu-img convert with its secret)", file_.path())};
  if ((header_.incompatible & Qcow2Header::kDataFile) != 0)
    return unsupported("keeps its data in an external file (data_file)");
  if (header_.extended_l2() && header_.cluster_bits < 14) return damaged("subclusters of less than 512 bytes");
  if (header_.refcount_order > 6) return damaged(fmt::format("refcounts of 2^{} bits", header_.refcount_order));
  if (header_.size > kLongest) return damaged(fmt::format("a disk of {} bytes", header_.size));
  const u64 per_table = header_.l2_entries() * cluster;
  const u64 tables = header_.size / per_table + (header_.size % per_table != 0 ? 1 : 0);
  const u64 l1_bytes = u64{header_.l1_entries} * 8;
  if (l1_bytes > kMostL1) return damaged(fmt::format("an L1 table of {} entries", header_.l1_entries));
  if (tables > header_.l1_entries) return damaged("the L1 table is too short for the disk");
  if (!table_fits(header_.l1_offset, l1_bytes)) return damaged("the L1 table is not within the file");
  const u64 refcounts = u64{header_.refcount_table_clusters} * cluster;
  if (refcounts > kMostRefcountTable || refcounts == 0 || !table_fits(header_.refcount_table_offset, refcounts))
    return damaged("the refcount table is not within the file");
  if (header_.snapshot_count > kMostSnapshots ||
      (header_.snapshot_count != 0 && !table_fits(header_.snapshots_offset, 0)))
    return damaged("the table of snapshots is not within the file");
  return {};
}

Result<Qcow2Header> Reader::read() {
  std::vector<u8> bytes(kSmallestHeader);
  if (file_.size_bytes() < bytes.size()) return damaged("the header is cut short");
  if (auto result = file_.read(0, bytes); !result) return result.error();
  if (auto result = read_fields(bytes); !result) return result.error();
  // Header and extensions end where the backing file's name begins, or with the first cluster.
  u64 end = std::min(header_.cluster_size(), file_.size_bytes());
  if (backing_offset_ >= kSmallestHeader) end = std::min(end, backing_offset_);
  bytes.resize(static_cast<std::size_t>(end));
  if (auto result = file_.read(0, bytes); !result) return result.error();
  if (auto result = read_features(bytes); !result) return result.error();
  if (auto result = check_unknown_features(bytes); !result) return result.error();
  if (auto result = read_extensions(bytes); !result) return result.error();
  if (auto result = read_backing_file(); !result) return result.error();
  if (auto result = check(); !result) return result.error();
  return header_;
}

}  // namespace

Result<Qcow2Header> read_qcow2_header(ImageFile& file) { return Reader(file).read(); }

}  // namespace relic86
