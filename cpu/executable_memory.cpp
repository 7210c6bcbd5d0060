#include "cpu/executable_memory.h"

#include <sys/mman.h>
#include <unistd.h>

namespace relic86 {

namespace {

u8* map(int file, std::size_t bytes, int rights) {
  void* const memory = mmap(nullptr, bytes, rights, MAP_SHARED, file, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<u8*>(memory);
}

}  // namespace

ExecutableMemory::ExecutableMemory(std::size_t bytes) : bytes_(bytes), process_(getpid()) {
  const int file = memfd_create("relic86-code", MFD_CLOEXEC);
  if (file < 0) return;
  if (ftruncate(file, static_cast<off_t>(bytes)) == 0) {
    writable_ = map(file, bytes, PROT_READ | PROT_WRITE);
    executable_ = map(file, bytes, PROT_READ | PROT_EXEC);
  }
  close(file);
  if (writable_ != nullptr && executable_ != nullptr) return;
  if (writable_ != nullptr) munmap(writable_, bytes);
  if (executable_ != nullptr) munmap(executable_, bytes);
  writable_ = executable_ = nullptr;
}

ExecutableMemory::~ExecutableMemory() {
  if (writable_ == nullptr) return;
  munmap(writable_, bytes_);
  munmap(executable_, bytes_);
}

bool ExecutableMemory::shared_with_another_process() const { return process_ != getpid(); }

}  // namespace relic86
