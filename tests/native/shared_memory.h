// Memory that a process shares with the children that it forks: anonymous, or a file that they map where they like.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <span>

#include "base/types.h"

namespace relic86::native {

template <typename T>
class SharedMemory {
 public:
  SharedMemory() = default;
  ~SharedMemory() {
    if (at_ != nullptr) munmap(at_, sizeof(T) * count_);
    if (file_ >= 0) close(file_);
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Once. False: no memory is left.
  bool map(std::size_t count) {
    count_ = count;
    const int kind = file_ >= 0 ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS;
    void* const at = mmap(nullptr, sizeof(T) * count, PROT_READ | PROT_WRITE, kind, file_, 0);
    if (at != MAP_FAILED) at_ = static_cast<T*>(at);
    return at_ != nullptr;
  }
  bool map_file(const char* name, std::size_t count) {
    file_ = memfd_create(name, MFD_CLOEXEC);
    return file_ >= 0 && ftruncate(file_, static_cast<off_t>(sizeof(T) * count)) == 0 && map(count);
  }

  std::span<T> all() const { return {at_, count_}; }
  T* data() const { return at_; }
  int file() const { return file_; }  // -1: anonymous

 private:
  T* at_ = nullptr;
  std::size_t count_ = 0;
  int file_ = -1;
};

}  // namespace relic86::native
