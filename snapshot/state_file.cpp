#include "snapshot/state_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace relic86 {

namespace {

constexpr std::string_view kMagic = "RELIC86S";
constexpr u32 kVersion = 1;
constexpr u64 kHeaderSize = 16;
constexpr u64 kSectionHeaderSize = 24;
constexpr std::size_t kPiece = std::size_t{1} << 20;  // checksums are taken over pieces of this size
constexpr std::size_t kMostSections = 64;
constexpr std::string_view kEnd = "END ";

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<StateFileWriter> StateFileWriter::create(const std::string& path) {
  std::string temporary = path + ".XXXXXX";
  const int file = mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) {
    return Error{fmt::format("{}: cannot be written ({}); choose a writable folder with --state-dir", path,
                             std::strerror(errno))};
  }
  const mode_t mask = umask(0);
  umask(mask);
  [[maybe_unused]] const int changed = fchmod(file, 0666 & ~mask);  // mkostemp's 0600 is for secrets
  StateFileWriter writer(path, temporary, file);
  std::array<u8, kHeaderSize> header{};
  std::memcpy(header.data(), kMagic.data(), kMagic.size());
  std::memcpy(header.data() + kMagic.size(), &kVersion, sizeof kVersion);
  writer.write_out(header, 0);
  writer.position_ = kHeaderSize;
  return writer;
}

StateFileWriter::StateFileWriter(StateFileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      file_(std::exchange(other.file_, -1)),
      error_(other.error_),
      position_(other.position_),
      section_(other.section_),
      tag_(std::move(other.tag_)),
      piece_(std::move(other.piece_)),
      checksum_(other.checksum_) {}

StateFileWriter::~StateFileWriter() {
  if (file_ < 0) return;
  close(file_);
  unlink(temporary_.c_str());
}

void StateFileWriter::write_out(std::span<const u8> bytes, u64 offset) {
  while (!bytes.empty() && error_ == 0) {
    const ssize_t put = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      error_ = put < 0 ? errno : ENOSPC;
      return;
    }
    offset += static_cast<u64>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

void StateFileWriter::begin(std::string_view tag) {
  RELIC86_ASSERT(tag.size() == 4 && tag_.empty());
  tag_ = tag;
  section_ = position_;
  position_ += kSectionHeaderSize;
  checksum_ = StateHasher();
}

void StateFileWriter::flush_piece() {
  checksum_.mix(piece_);
  write_out(piece_, position_);
  position_ += piece_.size();
  piece_.clear();
}

void StateFileWriter::put(std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kPiece - piece_.size()));
    piece_.insert(piece_.end(), part.begin(), part.end());
    bytes = bytes.subspan(part.size());
    if (piece_.size() == kPiece) flush_piece();
  }
}

void StateFileWriter::end() {
  flush_piece();
  const u64 length = position_ - section_ - kSectionHeaderSize;
  const u64 checksum = checksum_.hash();
  std::array<u8, kSectionHeaderSize> header{};
  std::memcpy(header.data(), tag_.data(), 4);
  std::memcpy(header.data() + 8, &length, sizeof length);
  std::memcpy(header.data() + 16, &checksum, sizeof checksum);
  write_out(header, section_);
  tag_.clear();
}

Result<> StateFileWriter::commit() {
  begin(kEnd);
  end();
  if (error_ == 0 && fsync(file_) != 0) error_ = errno;
  if (error_ == 0 && rename(temporary_.c_str(), path_.c_str()) != 0) error_ = errno;
  if (error_ != 0) {
    const bool full = error_ == ENOSPC || error_ == EDQUOT || error_ == EFBIG;
    return Error{fmt::format("{}: writing failed ({}); {}", path_, std::strerror(error_),
                             full ? "free some space, or choose another folder with --state-dir"
                                  : "check the host's disk and the folder's rights")};
  }
  close(file_);
  file_ = -1;
  // The new name itself is durable only when the folder is.
  if (const int folder = open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return {};
}

// --- Reading ---

Error StateFileReader::damaged(std::string_view what) const {
  return Error{fmt::format("{}: is damaged ({}); restore the file, or delete it with delvm", path_, what)};
}

Result<StateFileReader> StateFileReader::open_unchecked(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    if (errno == ENOENT) return Error{fmt::format("{}: not found; 'info snapshots' lists the saved machines", path)};
    return Error{fmt::format("{}: cannot be opened ({}); check the path", path, std::strerror(errno))};
  }
  StateFileReader reader(path, file);
  if (auto table = reader.read_table(); !table) return table.error();
  return reader;
}

Result<StateFileReader> StateFileReader::open(const std::string& path) {
  auto reader = open_unchecked(path);
  if (!reader) return reader;
  if (auto verified = reader.value().verify(); !verified) return verified.error();
  return reader;
}

StateFileReader::StateFileReader(StateFileReader&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      size_(other.size_),
      sections_(std::move(other.sections_)),
      checksums_(std::move(other.checksums_)) {}

StateFileReader::~StateFileReader() {
  if (file_ >= 0) close(file_);
}

bool StateFileReader::read_at(u64 offset, std::span<u8> into) const {
  while (!into.empty()) {
    const ssize_t got = pread(file_, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    offset += static_cast<u64>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

Result<> StateFileReader::read_table() {
  struct stat status {};
  if (fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) return Error{fmt::format("{}: is not a file", path_)};
  size_ = static_cast<u64>(status.st_size);
  std::array<u8, kHeaderSize> header{};
  if (size_ < kHeaderSize || !read_at(0, header) || std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) {
    return Error{fmt::format("{}: is not a machine saved by relic86; name another one", path_)};
  }
  u32 version = 0;
  std::memcpy(&version, header.data() + kMagic.size(), sizeof version);
  if (version != kVersion) {
    return Error{fmt::format("{}: was saved in format {}, this relic86 knows format {}; use the relic86 that saved it",
                             path_, version, kVersion)};
  }
  u64 offset = kHeaderSize;
  while (true) {
    std::array<u8, kSectionHeaderSize> section{};
    if (size_ - offset < kSectionHeaderSize || !read_at(offset, section)) return damaged("cut short");
    offset += kSectionHeaderSize;
    StateSection entry;
    entry.tag.assign(reinterpret_cast<const char*>(section.data()), 4);
    u64 checksum = 0;
    std::memcpy(&entry.length, section.data() + 8, sizeof entry.length);
    std::memcpy(&checksum, section.data() + 16, sizeof checksum);
    entry.offset = offset;
    if (entry.length > size_ - offset) return damaged("cut short");
    offset += entry.length;
    if (entry.tag == kEnd) break;
    if (sections_.size() == kMostSections) return damaged("too many sections");
    sections_.push_back(std::move(entry));
    checksums_.push_back(checksum);
  }
  if (offset != size_) return damaged("data behind its end");
  return {};
}

Result<> StateFileReader::verify() const {
  std::vector<u8> piece(kPiece);
  for (std::size_t i = 0; i < sections_.size(); i++) {
    StateHasher hasher;
    u64 position = 0;
    // An empty last piece counts, too: the writer flushes at the end whatever is there.
    for (; position < sections_[i].length; position += kPiece) {
      const auto part = std::span(piece).first(std::min<u64>(kPiece, sections_[i].length - position));
      if (!read_at(sections_[i].offset + position, part)) return damaged("cannot be read");
      hasher.mix(part);
    }
    if (hasher.hash() != checksums_[i]) return damaged(fmt::format("section {} has a wrong checksum", i));
  }
  return {};
}

const StateSection* StateFileReader::find(std::string_view tag) const {
  for (const StateSection& section : sections_) {
    if (section.tag == tag) return &section;
  }
  return nullptr;
}

bool StateFileReader::read(const StateSection& section, u64 position, std::span<u8> into) const {
  if (position > section.length || into.size() > section.length - position) return false;
  return read_at(section.offset + position, into);
}

Result<std::vector<u8>> StateFileReader::content(const StateSection& section, u64 limit) const {
  if (section.length > limit) return damaged("a section is too long");
  std::vector<u8> bytes(section.length);
  if (!read(section, 0, bytes)) return damaged("cannot be read");
  return bytes;
}

bool StateCursor::take(std::span<u8> into) {
  if (into.size() > section_.length - position_) return false;
  while (!into.empty()) {
    if (position_ < buffered_at_ || position_ >= buffered_at_ + buffer_.size()) {
      buffer_.resize(std::min<u64>(kPiece, section_.length - position_));
      buffered_at_ = position_;
      if (!file_.read(section_, position_, buffer_)) {
        buffer_.clear();
        return false;
      }
    }
    const std::size_t from = position_ - buffered_at_;
    const std::size_t count = std::min(into.size(), buffer_.size() - from);
    std::memcpy(into.data(), buffer_.data() + from, count);
    position_ += count;
    into = into.subspan(count);
  }
  return true;
}

std::vector<u8> compress(std::span<const u8> bytes) {
  std::vector<u8> packed(ZSTD_compressBound(bytes.size()));
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 1);
  RELIC86_ASSERT(ZSTD_isError(size) == 0);  // the room is large enough
  packed.resize(size);
  return packed;
}

bool expand(std::span<const u8> compressed, std::span<u8> into) {
  const std::size_t size = ZSTD_decompress(into.data(), into.size(), compressed.data(), compressed.size());
  return ZSTD_isError(size) == 0 && size == into.size();
}

}  // namespace relic86
