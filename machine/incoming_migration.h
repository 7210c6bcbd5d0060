// The machine that waits for another one to come and go on in it (-incoming, docs/migration.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "char/host_poller.h"
#include "machine/migration_channel.h"
#include "snapshot/migration_stream.h"

namespace relic86 {

class Machine;

class IncomingMigration final : private MigrationReader::Target {
 public:
  IncomingMigration(Machine& machine, HostPoller& poller) : machine_(machine), poller_(poller), reader_(*this) {}
  ~IncomingMigration() { stop(); }

  // Waits for it there. An error: it waits nowhere yet.
  Result<> listen(const std::string& uri, const NamedDescriptor& named);
  bool listening() const { return static_cast<bool>(channel_); }
  // The machine is to run as soon as it is here, whatever -S says.
  void run_when_here() { wants_run_ = true; }

 private:
  Result<> identity(std::string_view text) override;
  u64 memory_size() const override;
  void page(u64 offset, const u8* content) override;
  Result<> state(std::vector<u8> state) override;

  void stop();
  void accept();
  void receive();
  void arrive();
  void fail(const std::string& trouble);

  Machine& machine_;
  HostPoller& poller_;
  MigrationChannel channel_;
  MigrationReader reader_;
  std::vector<u8> state_;
  bool wants_run_ = false;
};

}  // namespace relic86
