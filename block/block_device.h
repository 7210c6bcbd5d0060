// What a disk controller sees of its medium, and what images and overlays implement: bytes at offsets.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "block/block_request.h"
#include "block/error_policy.h"

namespace relic86 {

class CompactDisc;

class BlockDevice {
 public:
  virtual ~BlockDevice() = default;

  virtual u64 size_bytes() const = 0;
  virtual bool read_only() const = 0;

  // Offset and length are bytes and need not be multiples of a sector. A range that does not lie wholly within
  // size_bytes() is an error that transfers nothing. After a failed write the range holds old and new bytes, each byte
  // one or the other; everything outside it is as before.
  virtual Result<> read(u64 offset, std::span<u8> bytes) = 0;
  virtual Result<> write(u64 offset, std::span<const u8> bytes) = 0;
  // What was written before is on the host's disk when this returns.
  virtual Result<> flush() = 0;

  // The range reads as zeros afterwards. Images that can note it take no space for it.
  virtual Result<> write_zeroes(u64 offset, u64 length) {
    constexpr u64 kPiece = 65536;
    const std::vector<u8> zeros(static_cast<std::size_t>(std::min(length, kPiece)));
    for (u64 done = 0; done < length; done += kPiece) {
      const auto piece = std::span(zeros).first(static_cast<std::size_t>(std::min(length - done, kPiece)));
      if (auto written = write(offset + done, piece); !written) return written;
    }
    return {};
  }
  // The guest needs the range no more: its space may go back to the host. What it reads as is not defined.
  virtual Result<> discard(u64 /*offset*/, u64 /*length*/) { return {}; }
  // What a compact disc has beside its data; null: the bytes are all.
  virtual CompactDisc* disc() { return nullptr; }

  // --- Requests that the guest need not wait for ---
  // Whether this is better submitted: it may have to wait for the host's disk, and there is somebody else to do it.
  // What is not is called directly. A device that says so once may say otherwise the next time.
  virtual bool defers(BlockRequest::Kind /*kind*/, u64 /*offset*/, u64 /*length*/) { return false; }
  // Carries the request out after those that were submitted before, and tells: before this returns, or later between
  // two instructions of the guest. Direct calls wait for all that is under way.
  virtual void submit(BlockRequest request, BlockDone done) {
    auto result = carry_out(request);
    done(std::move(request), std::move(result));
  }
  // Everything that was submitted is carried out and has been told of.
  virtual void drain() {}
  // As far as known, the host has these bytes in memory.
  virtual bool ready_to_read(u64 /*offset*/, u64 /*length*/) { return true; }

  // --- Requests that have failed ---
  // Whether something has failed for want of room on the host's disk since this was asked last.
  virtual bool take_host_full() { return false; }
  // Asked by a controller, on whose behalf a request has failed, what it is to do. Stop: the machine is about to stop,
  // and retry_with()'s function is called when it goes on; until then nobody else is told of the request.
  virtual ErrorAction failed(BlockRequest::Kind /*kind*/, const std::string& /*message*/) {
    return ErrorAction::Report;
  }
  // Called between two instructions whenever the machine goes on after such a stop.
  virtual void retry_with(std::function<void()> /*retry*/) {}

 protected:
  Result<> carry_out(BlockRequest& request) {
    switch (request.kind) {
      case BlockRequest::Kind::Read: return read(request.offset, request.content());
      case BlockRequest::Kind::Write: return write(request.offset, request.content());
      case BlockRequest::Kind::Flush: return flush();
      case BlockRequest::Kind::Discard: return discard(request.offset, request.length);
      case BlockRequest::Kind::WriteZeroes: return write_zeroes(request.offset, request.length);
    }
    return Error{"no such request"};
  }
};

}  // namespace relic86
