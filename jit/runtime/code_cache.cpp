#include "jit/runtime/code_cache.h"

#include <asmjit/core.h>

#include <cstdlib>
#include <cstring>
#include <utility>

namespace relic86::jit {

namespace {

asmjit::JitAllocator::CreateParams parameters(bool one_mapping) {
  asmjit::JitAllocator::CreateParams params;
  if (!one_mapping) params.options = asmjit::JitAllocatorOptions::kUseDualMapping;
  params.blockSize = 4u << 20;
  return params;
}

}  // namespace

struct CodeCache::Allocator {
  explicit Allocator(bool one_mapping) : params(parameters(one_mapping)) {}
  asmjit::JitAllocator::CreateParams params;
  asmjit::JitAllocator memory{&params};
};

CodeCache::CodeCache(u64 limit_bytes, bool one_mapping)
    : allocator_(std::make_unique<Allocator>(one_mapping)), limit_(limit_bytes) {}
CodeCache::~CodeCache() = default;

CodeCache::Placed CodeCache::place(asmjit::CodeHolder& code) {
  if (code.flatten() != asmjit::kErrorOk || code.resolveUnresolvedLinks() != asmjit::kErrorOk) return {};
  const std::size_t estimate = code.codeSize();
  void* executable = nullptr;
  void* writable = nullptr;
  if (allocator_->memory.alloc(&executable, &writable, estimate) != asmjit::kErrorOk) return {};
  if (code.relocateToBase(reinterpret_cast<u64>(executable)) != asmjit::kErrorOk) {
    (void)allocator_->memory.release(executable);
    return {};
  }
  const std::size_t size = code.codeSize();
  for (asmjit::Section* section : code.sections()) {
    std::memcpy(static_cast<u8*>(writable) + section->offset(), section->data(), section->bufferSize());
  }
  used_ += std::max(size, estimate);
  return {static_cast<const u8*>(executable), static_cast<u8*>(writable), static_cast<u32>(std::max(size, estimate))};
}

void CodeCache::release(const u8* executable, u32 size) {
  (void)allocator_->memory.release(const_cast<u8*>(executable));
  used_ -= size;
}

// asmjit allocates buffers by malloc() and grows them by realloc().
CodeScratch::~CodeScratch() { std::free(buffer_.data()); }

CodeScratch::Loan::Loan(CodeScratch& scratch, asmjit::CodeHolder& to) : scratch_(scratch), to_(to) {
  asmjit::CodeBuffer& buffer = to_.textSection()->buffer();
  buffer = std::exchange(scratch_.buffer_, {});
  buffer._size = 0;
}

CodeScratch::Loan::~Loan() { scratch_.buffer_ = std::exchange(to_.textSection()->buffer(), {}); }

}  // namespace relic86::jit
