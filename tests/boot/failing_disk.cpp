// A host whose disk fails when a test says so, for tests/boot/disk_errors_test: loaded with LD_PRELOAD. While a file
// exists that has the name in FAILING_DISK with ".fails" behind it, accesses to the file of that name fail: it holds
// "read N" or "write N", with an errno. The first megabyte, which programs and kernels look at when they open a disk,
// never fails to be read.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// The errno that this access fails with; 0: none.
int failure(int file, const char* access) {
  const char* const path = std::getenv("FAILING_DISK");
  struct stat here {};
  struct stat there {};
  if (path == nullptr || fstat(file, &here) != 0 || stat(path, &there) != 0 || here.st_ino != there.st_ino ||
      here.st_dev != there.st_dev)
    return 0;
  const std::string name = std::string(path) + ".fails";
  FILE* const control = std::fopen(name.c_str(), "r");
  if (control == nullptr) return 0;
  char word[8] = {};
  int number = 0;
  const int got = std::fscanf(control, "%7s %d", word, &number);
  std::fclose(control);
  return got == 2 && std::string(word) == access ? number : 0;
}

bool fails(int file, const char* access) {
  const int number = failure(file, access);
  if (number != 0) errno = number;
  return number != 0;
}

ssize_t read_or_fail(const char* name, int file, void* bytes, size_t count, off_t offset) {
  constexpr off_t kMegabyte = 1 << 20;
  if (offset >= kMegabyte && fails(file, "read")) return -1;
  return next<ssize_t(int, void*, size_t, off_t)>(name)(file, bytes, count, offset);
}

ssize_t write_or_fail(const char* name, int file, const void* bytes, size_t count, off_t offset) {
  if (fails(file, "write")) return -1;
  return next<ssize_t(int, const void*, size_t, off_t)>(name)(file, bytes, count, offset);
}

int allocate_or_fail(const char* name, int file, int mode, off_t offset, off_t length) {
  if (fails(file, "write")) return -1;
  return next<int(int, int, off_t, off_t)>(name)(file, mode, offset, length);
}

}  // namespace

extern "C" {
ssize_t pread(int file, void* bytes, size_t count, off_t offset) {
  return read_or_fail("pread", file, bytes, count, offset);
}
ssize_t pread64(int file, void* bytes, size_t count, off_t offset) {
  return read_or_fail("pread64", file, bytes, count, offset);
}
// Those of a build with _FORTIFY_SOURCE.
ssize_t __pread_chk(int file, void* bytes, size_t count, off_t offset, size_t) {
  return read_or_fail("pread", file, bytes, count, offset);
}
ssize_t __pread64_chk(int file, void* bytes, size_t count, off_t offset, size_t) {
  return read_or_fail("pread64", file, bytes, count, offset);
}
ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
  return write_or_fail("pwrite", file, bytes, count, offset);
}
ssize_t pwrite64(int file, const void* bytes, size_t count, off_t offset) {
  return write_or_fail("pwrite64", file, bytes, count, offset);
}
int fallocate(int file, int mode, off_t offset, off_t length) {
  return allocate_or_fail("fallocate", file, mode, offset, length);
}
int fallocate64(int file, int mode, off_t offset, off_t length) {
  return allocate_or_fail("fallocate64", file, mode, offset, length);
}
int fdatasync(int file) { return fails(file, "write") ? -1 : next<int(int)>("fdatasync")(file); }
}
