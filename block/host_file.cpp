// Image files on the host's file system.
//
// Locks are open-file-description locks on single bytes, the protocol of QEMU's image locking, so that neither program
// corrupts what the other one has open. Every opener holds shared locks on the bytes that say what it does; it then
// looks whether somebody else holds a byte that excludes it:
//
//   byte  held by                          looked for by
//   100   everybody: reads                 -
//   101   writers: write                   readers and writers
//   201   everybody: nobody else may write writers
#include "block/host_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace relic86 {

namespace {

constexpr u64 kLongest = u64{1} << 62;  // what a file's length may be, so that sums do not overflow
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

using Progress = TransferProgress;

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
Error cannot_open(const std::string& path, HostFile::Access access, int error) {
  const bool writing = access == HostFile::Access::ReadWrite;
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      if (!writing) return Error{fmt::format("{}: not found; check the path", path)};
      return Error{
          fmt::format("{}: not found; check the path, or create a raw image (truncate -s SIZE {})", path, path)};
    case EISDIR: return Error{fmt::format("{}: is a directory; name an image file", path)};
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

TransferProgress write_all(int file, u64 offset, std::span<const u8> bytes) {
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

Result<std::unique_ptr<HostFile>> HostFile::open(const std::string& path, Access access, Locks locks) {
  if (path.empty()) return Error{"an empty file name was given; name an image file"};
  // Not blocking: opening a FIFO would wait for its other end.
  const int flags = (access == Access::ReadWrite ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
  const int file = ::open(path.c_str(), flags);
  if (file < 0) return cannot_open(path, access, errno);
  std::unique_ptr<HostFile> opened(new HostFile(path, file, access));
  if (auto result = opened->find_size(Empty::Refused); !result) return result.error();
  if (locks == Locks::None) return opened;
  if (auto result = opened->lock(); !result) return result.error();
  return opened;
}

Result<std::unique_ptr<HostFile>> HostFile::open_new(const std::string& path) {
  constexpr mode_t kMode = 0644;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, kMode);
  if (file < 0) return cannot_open(path, Access::ReadWrite, errno);
  std::unique_ptr<HostFile> opened(new HostFile(path, file, Access::ReadWrite));
  if (auto result = opened->find_size(Empty::Allowed); !result) return result.error();
  if (auto result = opened->lock(); !result) return result.error();
  return opened;
}

HostFile::~HostFile() { close(file_); }

Error HostFile::trouble(std::string_view what, int error) {
  full_ = full_ || error == ENOSPC;
  const std::string_view mend = error == ENOSPC || error == EDQUOT ? "free some space on the host's disk"
                                                                   : "check the host's disk and its kernel log";
  return Error{fmt::format("{}: {} failed ({}); {}", path_, what, std::strerror(error), mend)};
}

Result<> HostFile::find_size(Empty empty) {
  struct stat status {};
  if (fstat(file_, &status) != 0) return trouble("looking at the file", errno);
  if (S_ISDIR(status.st_mode)) return Error{fmt::format("{}: is a directory; name an image file", path_)};
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    return Error{fmt::format("{}: is neither a file nor a block device; name an image file", path_)};
  }
  const off_t end = lseek(file_, 0, SEEK_END);
  if (end < 0) return trouble("finding the size", errno);
  if (end == 0 && empty == Empty::Refused) {
    return Error{fmt::format("{}: is empty; give it a size first (truncate -s SIZE {})", path_, path_)};
  }
  size_ = static_cast<u64>(end);
  return {};
}

Result<> HostFile::lock() {
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

Result<> HostFile::read(u64 offset, std::span<u8> bytes) {
  if (offset > size_ || bytes.size() > size_ - offset) {
    return Error{fmt::format("{}: read beyond the end of the file", path_)};
  }
  const Progress progress = read_all(file_, offset, bytes);
  if (progress.error != 0) return trouble("reading", progress.error);
  if (progress.done < bytes.size()) {
    return Error{fmt::format("{}: has become shorter while in use; restore the file and restart the machine", path_)};
  }
  return {};
}

// A byte here and there is asked for: hosts read ahead in larger pieces, and a file system that cannot tell counts as
// one that has it.
bool HostFile::ready_to_read(u64 offset, u64 length) {
  constexpr u64 kStep = 64 << 10;
  if (offset > size_ || length > size_ - offset) return true;
  const auto missing = [this](u64 at) {
    u8 byte = 0;
    const iovec place{&byte, 1};
    return preadv2(file_, &place, 1, static_cast<off_t>(at), RWF_NOWAIT) < 0 && errno == EAGAIN;
  };
  for (u64 at = offset; at < offset + length; at += kStep) {
    if (missing(at)) return false;
  }
  return length == 0 || !missing(offset + length - 1);
}

Result<> HostFile::write(u64 offset, std::span<const u8> bytes) {
  if (read_only()) return Error{fmt::format("{}: was opened read-only", path_)};
  if (offset > kLongest || bytes.size() > kLongest - offset) return trouble("writing", EFBIG);
  const Progress progress = write_all(file_, offset, bytes);
  if (progress.done > 0) size_ = std::max<u64>(size_, offset + progress.done);
  if (progress.error != 0) return trouble("writing", progress.error);
  return {};
}

Result<> HostFile::flush() {
  if (!read_only() && fdatasync(file_) != 0) return trouble("flushing", errno);
  return {};
}

Result<> HostFile::resize(u64 size) {
  if (read_only()) return Error{fmt::format("{}: was opened read-only", path_)};
  if (size > kLongest) return trouble("changing the length", EFBIG);
  if (ftruncate(file_, static_cast<off_t>(size)) != 0) return trouble("changing the length", errno);
  size_ = size;
  return {};
}

bool HostFile::punch_hole(u64 offset, u64 length) {
  if (read_only() || offset > kLongest || length > kLongest - offset) return false;
  return fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                   static_cast<off_t>(length)) == 0;
}

// Block devices of the host may know how to do it, too; they are few, and writing zeros is never wrong.
bool HostFile::write_zeroes(u64 offset, u64 length) {
  if (read_only() || offset > size_ || length > size_ - offset) return false;
  return fallocate(file_, FALLOC_FL_ZERO_RANGE, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0;
}

// A file system that does not know its holes says that all is data.
ImageFile::Run HostFile::run_at(u64 offset, u64 length) {
  if (offset >= size_ || length == 0) return {true, length};
  const off_t data = lseek(file_, static_cast<off_t>(offset), SEEK_DATA);
  if (data < 0) return {errno != ENXIO, length};  // ENXIO: there is no data from here on
  if (static_cast<u64>(data) > offset) return {false, std::min(length, static_cast<u64>(data) - offset)};
  const off_t hole = lseek(file_, static_cast<off_t>(offset), SEEK_HOLE);
  return {true, hole < 0 ? length : std::min(length, static_cast<u64>(hole) - offset)};
}

u64 HostFile::allocated_bytes() const {
  constexpr u64 kStatUnit = 512;
  struct stat status {};
  return fstat(file_, &status) != 0 ? 0 : static_cast<u64>(status.st_blocks) * kStatUnit;
}

i64 HostFile::modified_ns() const {
  struct stat status {};
  if (fstat(file_, &status) != 0) return 0;
  return i64{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

std::pair<u64, u64> HostFile::identity() const {
  struct stat status {};
  if (fstat(file_, &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

}  // namespace relic86
