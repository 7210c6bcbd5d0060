// A host whose disk is slow, for tests/boot/slow_disk_test: loaded with LD_PRELOAD, it lets accesses to the file that
// SLOW_DISK names wait for SLOW_DISK_MS milliseconds. Who asks whether the file is in memory hears that it is not.
#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>

namespace {

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool is_slow(int file) {
  const char* const path = std::getenv("SLOW_DISK");
  struct stat here {};
  struct stat there {};
  return path != nullptr && fstat(file, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

void wait_for_disk() {
  const char* const text = std::getenv("SLOW_DISK_MS");
  const long milliseconds = text == nullptr ? 0 : std::atol(text);
  timespec left{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

// What programs and kernels look at when they open a disk, its beginning and its end, is not slow.
bool is_slow(int file, off_t offset) {
  constexpr off_t kMegabyte = 1 << 20;
  return offset >= kMegabyte && offset < 3 * kMegabyte && is_slow(file);
}

ssize_t slow_read(const char* name, int file, void* bytes, size_t count, off_t offset) {
  if (is_slow(file, offset)) wait_for_disk();
  return next<ssize_t(int, void*, size_t, off_t)>(name)(file, bytes, count, offset);
}

ssize_t not_in_memory(const char* name, int file, const iovec* places, int count, off_t offset, int flags) {
  if ((flags & RWF_NOWAIT) != 0 && is_slow(file, offset)) {
    errno = EAGAIN;
    return -1;
  }
  return next<ssize_t(int, const iovec*, int, off_t, int)>(name)(file, places, count, offset, flags);
}

}  // namespace

extern "C" {
ssize_t pread(int file, void* bytes, size_t count, off_t offset) {
  return slow_read("pread", file, bytes, count, offset);
}
ssize_t pread64(int file, void* bytes, size_t count, off_t offset) {
  return slow_read("pread64", file, bytes, count, offset);
}
// Those of a build with _FORTIFY_SOURCE.
ssize_t __pread_chk(int file, void* bytes, size_t count, off_t offset, size_t) {
  return slow_read("pread", file, bytes, count, offset);
}
ssize_t __pread64_chk(int file, void* bytes, size_t count, off_t offset, size_t) {
  return slow_read("pread64", file, bytes, count, offset);
}
ssize_t preadv2(int file, const iovec* places, int count, off_t offset, int flags) {
  return not_in_memory("preadv2", file, places, count, offset, flags);
}
ssize_t preadv64v2(int file, const iovec* places, int count, off_t offset, int flags) {
  return not_in_memory("preadv64v2", file, places, count, offset, flags);
}
int fdatasync(int file) {
  if (is_slow(file)) wait_for_disk();
  return next<int(int)>("fdatasync")(file);
}
}
