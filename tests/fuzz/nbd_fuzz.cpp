// What a client of our NBD server may send. Input: a byte that says how much comes at once and how soon requests are
// carried out, then the client's bytes.
#include <algorithm>
#include <cstdlib>
#include <deque>

#include "block/nbd_session.h"

namespace {

using namespace relic86;

class MemoryDisks final : public NbdSession::Disks {
 public:
  explicit MemoryDisks(bool late) : late_(late) {}
  std::vector<NbdSession::Export> exports() override {
    return {{"disk", "64 KiB to write to", bytes_.size(), true}, {"", "the same to read", bytes_.size(), false}};
  }
  bool open(const std::string& name) override {
    writable_ = name == "disk";
    return true;
  }
  void submit(BlockRequest request, BlockDone done) override {
    using Kind = BlockRequest::Kind;
    if (request.offset > bytes_.size() || request.length > bytes_.size() - request.offset) std::abort();
    if (!writable_ && request.kind != Kind::Read && request.kind != Kind::Flush) std::abort();
    if ((request.kind == Kind::Read || request.kind == Kind::Write) && request.bytes.size() != request.length)
      std::abort();
    act([this, told = std::move(done), mine = std::move(request)]() mutable {
      const auto at = bytes_.begin() + static_cast<std::ptrdiff_t>(mine.offset);
      if (mine.kind == Kind::Read) std::copy_n(at, mine.bytes.size(), mine.bytes.begin());
      if (mine.kind == Kind::Write) std::copy(mine.bytes.begin(), mine.bytes.end(), at);
      told(std::move(mine), {});
    });
  }
  void extents(u64 offset, u64 length, unsigned, NbdSession::ExtentsDone done) override {
    if (length == 0 || offset > bytes_.size() || length > bytes_.size() - offset) std::abort();
    act([length, told = std::move(done)] { told(std::vector{DiskImage::Extent{true, length}}); });
  }
  bool answer() {
    if (waiting_.empty()) return false;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next();
    return true;
  }

 private:
  // A function that is moved alone.
  template <class Act>
  void act(Act what) {
    auto shared = std::make_shared<Act>(std::move(what));
    if (late_) return waiting_.push_back([shared] { (*shared)(); });
    (*shared)();
  }

  std::vector<u8> bytes_ = std::vector<u8>(65536, 0x5A);
  const bool late_;
  bool writable_ = false;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::size_t kMostOutput = 80u << 20;
  const std::size_t piece = (data[0] & 0x7F) + 1u;
  MemoryDisks disks((data[0] & 0x80) != 0);
  NbdSession session(disks);
  std::span<const u8> bytes(data + 1, size - 1);
  while (!bytes.empty() && !session.ended()) {
    if (session.takes_input()) {
      const auto some = bytes.first(std::min(piece, bytes.size()));
      session.receive(some);
      bytes = bytes.subspan(some.size());
    } else if (!disks.answer()) {
      if (session.output().empty()) std::abort();  // it waits for nothing
      session.note_sent(session.output().size());
    }
    if (session.output().size() > kMostOutput) std::abort();
  }
  while (disks.answer()) session.note_sent(std::min<std::size_t>(1, session.output().size()));
  session.note_sent(session.output().size());
  return 0;
}
