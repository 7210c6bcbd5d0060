// One client of our NBD server: what it sends goes in, what it is to be sent comes out, and requests go to whoever has
// the disks. Knows no sockets, so that it can be tested and fuzzed; clients may send anything.
//
// The NBD protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "block/block_request.h"
#include "block/disk_image.h"

namespace relic86 {

class NbdSession {
 public:
  struct Export {
    std::string name, description;
    u64 size = 0;
    bool writable = false;
  };
  using ExtentsDone = std::function<void(Result<std::vector<DiskImage::Extent>> extents)>;
  // What stands behind it. Requests lie within the export, and are told of before submit() returns or later; whoever
  // tells does so only as long as the session lives.
  class Disks {
   public:
    virtual std::vector<Export> exports() = 0;
    // The client uses this export from now on; false: it has gone meanwhile.
    virtual bool open(const std::string& name) = 0;
    virtual void submit(BlockRequest request, BlockDone done) = 0;
    // At most so many runs of alike bytes from the offset on, for base:allocation.
    virtual void extents(u64 offset, u64 length, unsigned most, ExtentsDone done) = 0;

   protected:
    ~Disks() = default;
  };

  static constexpr u32 kLongestRequest = 32u << 20;

  explicit NbdSession(Disks& disks);
  NbdSession(const NbdSession&) = delete;
  NbdSession& operator=(const NbdSession&) = delete;

  // What the client has sent. Only while takes_input().
  void receive(std::span<const u8> bytes);
  // False: what it has asked for takes as much memory as it may; it gets its turn when it has read more.
  bool takes_input() const { return !ended_ && may_begin(); }
  // What it is to be sent, and how much of that has been.
  std::span<const u8> output() const { return std::span(output_).subspan(sent_); }
  void note_sent(std::size_t count);
  // Nothing more is to be sent once the output is empty: it has said goodbye, or broken the protocol.
  bool ended() const { return ended_; }
  // The export that it uses; null: none yet.
  const Export* used() const { return export_ ? &*export_ : nullptr; }

 private:
  static constexpr u64 kMostMemory = 32u << 20;
  static constexpr unsigned kMostRequests = 64;  // under way at once
  static constexpr std::size_t kMostOption = 64u << 10;
  enum class Stage : u8 { Flags, Option, OptionData, Request, Payload };
  struct Request {
    u16 flags = 0, type = 0;
    u64 handle = 0, offset = 0;
    u32 length = 0;
  };

  bool may_begin() const { return requests_ < kMostRequests && under_way_ + output_.size() - sent_ < kMostMemory; }
  std::size_t wanted() const;  // bytes until the next step
  std::span<const u8> front() const { return std::span(input_).subspan(taken_); }
  void take_steps();
  void step();
  void take_flags();
  void take_option_header();
  void take_option();
  void take_request();
  void carry_out(std::vector<u8> payload);
  void submit(const Request& request, BlockRequest what);
  void begin(u64 bytes);
  void over(u64 bytes);
  void finish(const Request& request, BlockRequest&& what, const Result<>& result);
  void answer(const Request& request, u32 error);
  void answer_read(const Request& request, std::span<const u8> bytes);
  void chunk(const Request& request, u16 type, std::size_t length);
  void block_status(const Request& request);
  u32 check() const;  // what is wrong with the request; 0: nothing
  void refuse(u32 why, std::string_view text);
  void reply(u32 type, std::span<const u8> data = {});
  void use_export();
  void show_export();
  void list();
  void meta_context();
  void end() { ended_ = true; }
  u16 transmission_flags(const Export& which) const;
  std::optional<Export> find(std::string_view name);

  Disks& disks_;
  Stage stage_ = Stage::Flags;
  std::vector<u8> input_, output_;
  std::size_t taken_ = 0, sent_ = 0;  // of them
  bool stepping_ = false;
  u64 under_way_ = 0;  // bytes of requests that are not answered yet
  unsigned requests_ = 0;
  bool ended_ = false;
  bool no_zeroes_ = false;                    // NBD_FLAG_C_NO_ZEROES
  bool structured_ = false;                   // structured replies were negotiated
  std::optional<std::string> allocation_of_;  // base:allocation was, for this export
  u32 option_ = 0, data_length_ = 0;          // the option that comes, and its data
  Request request_{};
  std::optional<Export> export_;
};

}  // namespace relic86
