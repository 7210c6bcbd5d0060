// What a machine does for migrations: its disks go and come, and it waits.
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "machine/block_jobs.h"
#include "machine/guest_inputs.h"
#include "machine/incoming_migration.h"
#include "machine/machine.h"
#include "machine/migration.h"
#include "machine/saved_machine.h"

namespace relic86 {

// The images stay closed until the machine is here: the other program writes to them.
Result<> Machine::await_arrival() {
  if (inputs_->repeatable())
    return Error{"-incoming: a recorded run, or its replay, has nowhere to come from; leave one of the options out"};
  if (!options_.load_vm.empty()) return Error{"-incoming: -loadvm loads a machine already; leave one of them out"};
  if (auto released = release_disks(); !released) return released;
  hold_ = Hold::Incoming;
  incoming_ = std::make_unique<IncomingMigration>(*this, poller_);
  if (options_.incoming == "defer") return {};
  auto listens =
      incoming_->listen(options_.incoming, [this](const std::string& name) { return take_descriptor(name); });
  return listens ? listens : Error{"-incoming: " + listens.message()};
}

Result<> Machine::release_disks() {
  for (const auto& [drive, medium] : media_) {
    if (block_jobs_->mirrors(drive)) continue;  // the other machine has a disk of its own
    if (auto released = medium->release(); !released) return released;
  }
  return {};
}

Result<> Machine::acquire_disks() {
  bool were_released = hold_ == Hold::Incoming;  // some may have been exported meanwhile
  for (const auto& [drive, medium] : media_) {
    were_released = were_released || medium->released();
    if (auto acquired = medium->acquire(); !acquired) return acquired;
  }
  if (were_released) attach_journals(*this);
  return {};
}

void Machine::note_arrived(bool runs) {
  hold_ = Hold::None;
  has_run_ = true;
  incoming_.reset();
  migration_->note_incoming(MigrationStatus::Completed);
  if (runs) resume();
}

void Machine::fail_arrival(const std::string& trouble) {
  arrival_report_ = fmt::format("relic86: -incoming: {}\n", trouble);
  finish(End::ArrivalFailed);
}

void Machine::keep_descriptor(const std::string& name, int fd) {
  if (const int before = take_descriptor(name); before >= 0) ::close(before);
  descriptors_[name] = fd;
}

int Machine::take_descriptor(const std::string& name) {
  const auto known = descriptors_.find(name);
  if (known == descriptors_.end()) return -1;
  const int fd = known->second;
  descriptors_.erase(known);
  return fd;
}

}  // namespace relic86
