// A block device whose host answers when the test says so.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "block/block_device.h"

namespace relic86::test {

// What the drive has submitted, shared with the test, which outlives the drive.
struct LateAnswers {
  struct Waiting {
    BlockRequest request;
    BlockDone done;
  };
  std::deque<Waiting> waiting;
  bool late = true;  // false: nothing is deferred
  BlockDevice* content = nullptr;
  // While the host fails: what each request that was carried out meanwhile becomes.
  bool fails = false;
  ErrorAction action = ErrorAction::Report;
  std::vector<BlockRequest::Kind> told;  // the failures that the drive has asked about
  std::function<void()> retry;           // what the drive wants to have called
  // The first request that waits is carried out.
  void answer();
};

class LateDisk : public BlockDevice {
 public:
  LateDisk(std::unique_ptr<BlockDevice> content, LateAnswers& answers)
      : content_(std::move(content)), answers_(answers) {
    answers_.content = content_.get();
  }
  // What waits is nobody's any more.
  ~LateDisk() override {
    answers_.waiting.clear();
    answers_.content = nullptr;
    answers_.retry = nullptr;
  }
  LateDisk(const LateDisk&) = delete;
  LateDisk& operator=(const LateDisk&) = delete;
  u64 size_bytes() const override { return content_->size_bytes(); }
  bool read_only() const override { return content_->read_only(); }
  Result<> read(u64 offset, std::span<u8> bytes) override {
    return answers_.fails ? failure() : content_->read(offset, bytes);
  }
  Result<> write(u64 offset, std::span<const u8> bytes) override {
    return answers_.fails ? failure() : content_->write(offset, bytes);
  }
  Result<> flush() override { return answers_.fails ? failure() : content_->flush(); }
  ErrorAction failed(BlockRequest::Kind kind, const std::string&) override {
    answers_.told.push_back(kind);
    return answers_.action;
  }
  void retry_with(std::function<void()> retry) override { answers_.retry = std::move(retry); }
  bool defers(BlockRequest::Kind, u64, u64) override { return answers_.late; }
  void submit(BlockRequest request, BlockDone done) override {
    answers_.waiting.push_back({std::move(request), std::move(done)});
  }
  void drain() override {
    while (!answers_.waiting.empty()) answers_.answer();
  }

 private:
  static Error failure() { return Error{"late disk: the host's disk has failed, as the test wants"}; }
  std::unique_ptr<BlockDevice> content_;
  LateAnswers& answers_;
};

inline void LateAnswers::answer() {
  auto next = std::move(waiting.front());
  waiting.pop_front();
  if (fails)
    return next.done(std::move(next.request), Error{"late disk: the host's disk has failed, as the test wants"});
  content->submit(std::move(next.request), std::move(next.done));
}

}  // namespace relic86::test
