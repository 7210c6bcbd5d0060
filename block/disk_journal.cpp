#include "block/disk_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/state_archive.h"

namespace relic86 {

namespace {

constexpr char kMagic[8] = {'R', 'E', 'L', 'I', 'C', '8', '6', 'J'};
constexpr u32 kVersion = 1;
constexpr u64 kHeaderSize = 4096;
constexpr u64 kRecordHeader = 16;
constexpr u64 kRecordSize = kRecordHeader + DiskJournal::kBlockSize;

struct Header {
  char magic[8];
  u32 version;
  u32 path_length;
  u64 generation;
  u64 image_size;
  i64 modified_ns;
  u64 restoring;
};
static_assert(sizeof(Header) == 48);

u64 checksum(std::span<const u8> bytes) {
  StateHasher hasher;
  hasher.mix(bytes);
  return hasher.hash();
}

}  // namespace

Result<std::unique_ptr<DiskJournal>> DiskJournal::create(const std::string& path, u64 generation, const Image& image) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) {
    return Error{fmt::format("{}: cannot be written ({}); choose a writable folder with --state-dir", path,
                             std::strerror(errno))};
  }
  std::unique_ptr<DiskJournal> journal(new DiskJournal(path, file));
  journal->generation_ = generation;
  journal->image_ = image;
  if (image.path.size() > kHeaderSize - sizeof(Header)) return Error{fmt::format("{}: the path is too long", path)};
  if (auto written = journal->write_header(); !written) return written.error();
  return journal;
}

Result<std::unique_ptr<DiskJournal>> DiskJournal::open(const std::string& path, Access access) {
  const int file = ::open(path.c_str(), (access == Access::ReadWrite ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return Error{fmt::format("{}: cannot be opened ({})", path, std::strerror(errno))};
  std::unique_ptr<DiskJournal> journal(new DiskJournal(path, file));
  if (auto result = journal->read_header(); !result) return result.error();
  if (auto result = journal->read_records(); !result) return result.error();
  return journal;
}

DiskJournal::~DiskJournal() { close(file_); }

bool DiskJournal::read_at(u64 offset, std::span<u8> into) const {
  while (!into.empty()) {
    const ssize_t got = pread(file_, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    offset += static_cast<u64>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

Result<> DiskJournal::write_at(u64 offset, std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      return Error{
          fmt::format("{}: keeping the saved machine's disk failed ({}); free some space, or give the saved "
                      "machine up with delvm",
                      path_, std::strerror(put < 0 ? errno : ENOSPC))};
    }
    offset += static_cast<u64>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<> DiskJournal::write_header() {
  std::array<u8, kHeaderSize> bytes{};
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.path_length = static_cast<u32>(image_.path.size());
  header.generation = generation_;
  header.image_size = image_.size;
  header.modified_ns = image_.modified_ns;
  header.restoring = restoring_ ? 1 : 0;
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, image_.path.data(), image_.path.size());
  return write_at(0, bytes);
}

Result<> DiskJournal::read_header() {
  std::array<u8, kHeaderSize> bytes{};
  Header header{};
  if (!read_at(0, bytes)) return Error{fmt::format("{}: is cut short", path_)};
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.version != kVersion ||
      header.path_length > kHeaderSize - sizeof header || header.restoring > 1) {
    return Error{fmt::format("{}: is not a disk journal of this relic86", path_)};
  }
  generation_ = header.generation;
  image_.path.assign(reinterpret_cast<const char*>(bytes.data()) + sizeof header, header.path_length);
  image_.size = header.image_size;
  image_.modified_ns = header.modified_ns;
  restoring_ = header.restoring != 0;
  return {};
}

Result<> DiskJournal::read_records() {
  struct stat status {};
  if (fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) return Error{fmt::format("{}: is not a file", path_)};
  const u64 size = static_cast<u64>(status.st_size);
  // A record cut short at the end was being written when the emulator was killed: its block was not overwritten yet.
  const u64 count = (std::max(size, kHeaderSize) - kHeaderSize) / kRecordSize;
  for (records_ = 0; records_ < count; records_++) {
    u64 block = 0;
    if (!read_at(kHeaderSize + records_ * kRecordSize, {reinterpret_cast<u8*>(&block), sizeof block}) ||
        block >= (image_.size + kBlockSize - 1) / kBlockSize || !blocks_.insert(block).second) {
      return Error{fmt::format("{}: is damaged; the saved machine it belongs to cannot be loaded any more", path_)};
    }
  }
  return {};
}

u64 DiskJournal::block_length(u64 block) const { return std::min<u64>(kBlockSize, image_.size - block * kBlockSize); }

Result<> DiskJournal::keep(BlockDevice& image, u64 offset, u64 length) {
  if (length == 0) return {};
  for (u64 block = offset / kBlockSize; block <= (offset + length - 1) / kBlockSize; block++) {
    if (blocks_.contains(block)) continue;
    std::array<u8, kRecordSize> record{};
    const auto content = std::span(record).subspan(kRecordHeader);
    if (auto read = image.read(block * kBlockSize, content.first(block_length(block))); !read) return read;
    const u64 sum = checksum(content);
    std::memcpy(record.data(), &block, sizeof block);
    std::memcpy(record.data() + sizeof block, &sum, sizeof sum);
    if (auto written = write_at(kHeaderSize + records_ * kRecordSize, record); !written) return written;
    blocks_.insert(block);
    records_++;
  }
  return {};
}

void DiskJournal::note_modified(i64 modified_ns) {
  if (modified_ns == image_.modified_ns || restoring_) return;
  image_.modified_ns = modified_ns;
  [[maybe_unused]] const auto written = write_header();  // else the saved machine will be refused: never a wrong one
}

Result<> DiskJournal::flush() {
  if (fdatasync(file_) == 0) return {};
  return Error{fmt::format("{}: flushing failed ({}); check the host's disk", path_, std::strerror(errno))};
}

Result<> DiskJournal::visit(const Visitor& visitor) const {
  for (u64 index = 0; index < records_; index++) {
    std::array<u8, kRecordSize> record{};
    u64 block = 0, sum = 0;
    if (!read_at(kHeaderSize + index * kRecordSize, record)) return Error{fmt::format("{}: cannot be read", path_)};
    std::memcpy(&block, record.data(), sizeof block);
    std::memcpy(&sum, record.data() + sizeof block, sizeof sum);
    const auto content = std::span(record).subspan(kRecordHeader);
    if (!blocks_.contains(block) || sum != checksum(content)) {
      return Error{fmt::format("{}: is damaged; the saved machine it belongs to cannot be loaded any more", path_)};
    }
    if (auto result = visitor(block * kBlockSize, content.first(block_length(block))); !result) return result;
  }
  return {};
}

Result<> DiskJournal::verify() const {
  return visit([](u64, std::span<const u8>) { return Result<>(); });
}

Result<> DiskJournal::begin_restoring() {
  restoring_ = true;
  if (auto written = write_header(); !written) return written;
  return flush();
}

Result<> DiskJournal::restored(i64 modified_ns) {
  blocks_.clear();
  records_ = 0;
  restoring_ = false;
  image_.modified_ns = modified_ns;
  if (auto written = write_header(); !written) return written;
  if (ftruncate(file_, static_cast<off_t>(kHeaderSize)) != 0) {
    return Error{fmt::format("{}: emptying failed ({}); check the host's disk", path_, std::strerror(errno))};
  }
  return flush();
}

}  // namespace relic86
