// A machine that goes on in another program while it runs (docs/migration.md): its memory is sent, what the guest
// writes meanwhile is sent again, and when little is left it stops, and the rest follows. Until the last byte is out, a
// failure lets it go on here.
#pragma once

#include <string>
#include <vector>

#include "char/host_poller.h"
#include "machine/migration_channel.h"
#include "snapshot/migration_stream.h"

namespace relic86 {

class Machine;

enum class MigrationStatus : u8 { None, Setup, Active, Device, Completed, Failed, Cancelled };
// QEMU's word for it.
const char* migration_status_name(MigrationStatus status);

struct MigrationParameters {
  u64 max_bandwidth = 128u << 20;  // bytes a second; 0: no limit
  u64 downtime_limit = 300;        // milliseconds
};

class Migration final : private HostPoller::Source {
 public:
  Migration(Machine& machine, HostPoller& poller) : machine_(machine), poller_(poller) {}
  ~Migration();

  MigrationParameters& parameters() { return parameters_; }
  bool& tells_events() { return tells_events_; }

  // Begins; what becomes of it is told by Machine::on_event. An error: nothing has begun.
  Result<> start(const std::string& uri, const NamedDescriptor& named);
  void cancel();
  bool under_way() const;
  // What becomes of a machine that comes here (machine/incoming_migration.h) is told in the same way.
  void note_incoming(MigrationStatus status) { set_status(status); }

  struct Progress {
    MigrationStatus status = MigrationStatus::None;
    std::string trouble;           // of a failed one
    u64 total = 0, remaining = 0;  // bytes of memory
    u64 sent = 0;                  // bytes of the stream
    u64 zero_pages = 0, pages = 0;
    u64 rounds = 0;  // over the memory
    u64 total_ms = 0, downtime_ms = 0;
  };
  Progress progress() const;
  MigrationStatus status() const { return progress_.status; }

 private:
  void prepare(std::vector<pollfd>& fds, i64& timeout) override;
  void dispatch(std::span<const pollfd> fds, bool failed) override;

  void set_status(MigrationStatus status);
  void pump();
  bool connected();  // false: not yet, or it failed
  bool write_out();  // false: the channel takes no more now, or it failed
  void produce();
  void end_round();
  bool next_chunk();
  void send_chunk(std::size_t chunk);
  u64 take_dirty(std::size_t chunk);
  u64 left() const;  // bytes of memory that are still to be sent
  bool limited() const;
  Result<> stop_guest();
  void produce_rest();
  void end_of_stream();
  void complete();
  void fail(std::string trouble);
  void give_up(MigrationStatus status, std::string trouble);

  Machine& machine_;
  HostPoller& poller_;
  MigrationParameters parameters_;
  bool tells_events_ = false;
  MigrationChannel channel_;
  bool connecting_ = false;
  bool listening_ = false;  // to the poller
  Progress progress_;
  std::vector<u8> out_;
  std::size_t written_ = 0;   // of out_
  std::vector<u64> pending_;  // pages to be sent, by chunk of RAM
  std::size_t chunk_ = 0;     // the next one of this round
  bool last_ = false;         // out_ is all that is left
  bool was_running_ = false;  // when the guest was stopped
  bool stopped_by_us_ = false;
  i64 began_ = 0, stopped_at_ = 0;  // host time, ns
};

}  // namespace relic86
