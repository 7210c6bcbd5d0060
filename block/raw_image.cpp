// Raw images on the host's file system.
//
// Locks are open-file-description locks on single bytes, the protocol of QEMU's image locking, so that neither program
// corrupts what the other one has open. Every opener holds shared locks on the bytes that say what it does; it then
// looks whether somebody else holds a byte that excludes it:
//
//   byte  held by                          looked for by
//   100   everybody: reads                 -
//   101   writers: write                   readers and writers
//   201   everybody: nobody else may write writers
#include "block/raw_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/log.h"
#include "block/image_format.h"

namespace relic86 {

namespace {

constexpr u64 kSector = 512;
constexpr off_t kLockReading = 100, kLockWriting = 101, kLockNoOtherWriter = 201;

struct flock one_byte(short type, off_t byte) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

// False: the file system has no locks.
bool hold(int file, off_t byte) {
  struct flock lock = one_byte(F_RDLCK, byte);
  return fcntl(file, F_OFD_SETLK, &lock) == 0;
}

bool held_by_another(int file, off_t byte) {
  struct flock lock = one_byte(F_WRLCK, byte);
  return fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

// pread or pwrite until all is done; the number of bytes done, or errno.
struct Progress {
  std::size_t done = 0;
  int error = 0;
};
Progress read_all(int file, u64 offset, std::span<u8> bytes) {
  Progress progress;
  while (progress.done < bytes.size()) {
    const auto rest = bytes.subspan(progress.done);
    const ssize_t got = pread(file, rest.data(), rest.size(), static_cast<off_t>(offset + progress.done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) progress.error = errno;
    if (got <= 0) break;
    progress.done += static_cast<std::size_t>(got);
  }
  return progress;
}
Progress write_all(int file, u64 offset, std::span<const u8> bytes) {
  Progress progress;
  while (progress.done < bytes.size()) {
    const auto rest = bytes.subspan(progress.done);
    const ssize_t put = pwrite(file, rest.data(), rest.size(), static_cast<off_t>(offset + progress.done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      progress.error = put < 0 ? errno : ENOSPC;
      break;
    }
    progress.done += static_cast<std::size_t>(put);
  }
  return progress;
}

Error cannot_open(const std::string& path, RawImage::Access access, int error) {
  const bool writing = access == RawImage::Access::ReadWrite;
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      if (!writing) return Error{fmt::format("{}: not found; check the path", path)};
      return Error{
          fmt::format("{}: not found; check the path, or create a raw image (truncate -s SIZE {})", path, path)};
    case EISDIR: return Error{fmt::format("{}: is a directory; name a raw image file", path)};
    case EACCES:
    case EPERM:
      if (writing) {
        return Error{
            fmt::format("{}: no permission to write; change the file's mode, or use -snapshot or readonly=on", path)};
      }
      return Error{fmt::format("{}: no permission to read; change the file's mode or owner", path)};
    case EROFS:
      return Error{fmt::format("{}: is on a read-only file system; use -snapshot or readonly=on, or copy it", path)};
    default: return Error{fmt::format("{}: cannot be opened ({}); check the path", path, std::strerror(error))};
  }
}

}  // namespace

Result<std::unique_ptr<RawImage>> RawImage::open(const std::string& path, Access access, Format format) {
  if (path.empty()) return Error{"an empty file name was given; name a raw image file"};
  // Not blocking: opening a FIFO would wait for its other end.
  const int flags = (access == Access::ReadWrite ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
  const int file = ::open(path.c_str(), flags);
  if (file < 0) return cannot_open(path, access, errno);
  std::unique_ptr<RawImage> image(new RawImage(path, file, access));
  if (auto result = image->find_size(); !result) return result.error();
  if (auto result = image->lock(); !result) return result.error();
  if (format == Format::Probe) {
    if (auto result = image->check_format(); !result) return result.error();
  }
  return image;
}

RawImage::~RawImage() { close(file_); }

Error RawImage::trouble(std::string_view what, int error) const {
  const std::string_view mend = error == ENOSPC || error == EDQUOT ? "free some space on the host's disk"
                                                                   : "check the host's disk and its kernel log";
  return Error{fmt::format("{}: {} failed ({}); {}", path_, what, std::strerror(error), mend)};
}

Result<> RawImage::find_size() {
  struct stat status {};
  if (fstat(file_, &status) != 0) return trouble("looking at the file", errno);
  if (S_ISDIR(status.st_mode)) return Error{fmt::format("{}: is a directory; name a raw image file", path_)};
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    return Error{fmt::format("{}: is neither a file nor a block device; name a raw image file", path_)};
  }
  const off_t end = lseek(file_, 0, SEEK_END);
  if (end < 0) return trouble("finding the size", errno);
  if (end == 0) {
    return Error{fmt::format("{}: is empty; give it a size first (truncate -s SIZE {})", path_, path_)};
  }
  file_size_ = static_cast<u64>(end);
  size_ = (file_size_ + kSector - 1) / kSector * kSector;
  return {};
}

Result<> RawImage::lock() {
  const bool writing = access_ == Access::ReadWrite;
  if (!hold(file_, kLockReading) || !hold(file_, kLockNoOtherWriter) || (writing && !hold(file_, kLockWriting))) {
    log::warning(fmt::format("{}: the file system has no locks ({}); do not let two machines use this image", path_,
                             std::strerror(errno)));
    return {};
  }
  if (held_by_another(file_, kLockWriting)) {
    return Error{fmt::format(
        "{}: failed to get \"{}\" lock: another process is writing to it; stop that machine, or give each its own copy",
        path_, writing ? "write" : "consistent read")};
  }
  if (writing && held_by_another(file_, kLockNoOtherWriter)) {
    return Error{fmt::format(
        "{}: failed to get \"write\" lock: another process is reading it; stop that machine, or use -snapshot", path_)};
  }
  return {};
}

Result<> RawImage::check_format() const {
  std::array<u8, kImageProbeSize> first{};
  std::array<u8, kImageProbeSize> last{};
  const u64 end = file_size_ > last.size() ? file_size_ - last.size() : 0;
  const Progress head = read_all(file_, 0, first);
  const Progress tail = read_all(file_, end, last);
  if (head.error != 0 || tail.error != 0) return trouble("reading", head.error != 0 ? head.error : tail.error);
  const auto name = image_format_name(std::span(first).first(head.done), std::span(last).first(tail.done));
  if (name.empty()) return {};
  return Error{fmt::format(
      "{}: is a {} file; only raw images are accepted for now: unpack or convert it (qemu-img convert -O raw), or say "
      "format=raw to use its bytes as they are",
      path_, name)};
}

Result<> RawImage::read(u64 offset, std::span<u8> bytes) {
  if (offset > size_ || bytes.size() > size_ - offset) {
    return Error{fmt::format("{}: read beyond the end of the image", path_)};
  }
  const u64 in_file = offset < file_size_ ? std::min<u64>(bytes.size(), file_size_ - offset) : 0;
  const Progress progress = read_all(file_, offset, bytes.first(in_file));
  if (progress.error != 0) return trouble("reading", progress.error);
  if (progress.done < in_file) {
    return Error{fmt::format("{}: has become shorter while in use; restore the file and restart the machine", path_)};
  }
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(in_file), bytes.end(), u8{0});
  return {};
}

Result<> RawImage::write(u64 offset, std::span<const u8> bytes) {
  if (read_only()) return Error{fmt::format("{}: was opened read-only", path_)};
  if (offset > size_ || bytes.size() > size_ - offset) {
    return Error{fmt::format("{}: write beyond the end of the image", path_)};
  }
  // Zeros behind the end of a file of odd size are there already: the file keeps its size.
  while (!bytes.empty() && offset + bytes.size() > file_size_ && bytes.back() == 0)
    bytes = bytes.first(bytes.size() - 1);
  const Progress progress = write_all(file_, offset, bytes);
  if (progress.done > 0) file_size_ = std::max<u64>(file_size_, offset + progress.done);
  if (progress.error != 0) return trouble("writing", progress.error);
  return {};
}

Result<> RawImage::flush() {
  if (!read_only() && fdatasync(file_) != 0) return trouble("flushing", errno);
  return {};
}

i64 RawImage::modified_ns() const {
  struct stat status {};
  if (fstat(file_, &status) != 0) return 0;
  return i64{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

}  // namespace relic86
