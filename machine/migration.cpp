#include "machine/migration.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/state_archive.h"
#include "machine/block_jobs.h"
#include "machine/guest_inputs.h"
#include "machine/host_time.h"
#include "machine/machine.h"
#include "machine/machine_identity.h"
#include "net/host_socket.h"

namespace relic86 {

namespace {
constexpr i64 kMillisecond = 1'000'000, kSecond = 1'000'000'000;
constexpr u64 kBytesAtOnce = 1u << 20;           // of one visit, so that the guest goes on
constexpr i64 kBandwidthWait = kMillisecond;     // until more may be sent
constexpr i64 kCommandWait = 10 * kMillisecond;  // between two looks at whether exec:'s command has ended

const char* const kNames[] = {"none", "setup", "active", "device", "completed", "failed", "cancelled"};
}  // namespace

const char* migration_status_name(MigrationStatus status) { return kNames[static_cast<std::size_t>(status)]; }

Migration::~Migration() {
  if (listening_) poller_.remove_source(this);
}

bool Migration::under_way() const {
  if (machine_.incoming() != nullptr) return false;
  return progress_.status == MigrationStatus::Setup || progress_.status == MigrationStatus::Active ||
         progress_.status == MigrationStatus::Device;
}

void Migration::set_status(MigrationStatus status) {
  progress_.status = status;
  machine_.tell_migration();
}

Result<> Migration::start(const std::string& uri, const NamedDescriptor& named) {
  if (under_way()) return Error{"There's a migration process in progress"};
  if (machine_.inputs().repeatable())
    return Error{"a recorded run, or its replay, stays where it is; migrate a machine without -icount rr="};
  if (auto allowed = machine_.block_jobs().allow_leaving(); !allowed) return allowed;
  for (const auto& [drive, medium] : machine_.media()) {
    if (medium->overlay() != nullptr)
      return Error{
          fmt::format("drive {}: what the guest writes is in a temporary overlay of this program; migrate a "
                      "machine without -snapshot",
                      drive)};
  }
  auto channel = open_outgoing(uri, named);
  if (!channel) return channel.error();
  channel_ = std::move(channel).value();
  progress_ = {};
  BackingStore& store = machine_.bus().store();
  progress_.total = store.size();
  out_.clear();
  written_ = chunk_ = 0;
  last_ = stopped_by_us_ = was_running_ = false;
  began_ = host_monotonic_ns();
  set_status(MigrationStatus::Setup);
  pending_.assign((store.ram_size() + kMigrationChunk - 1) / kMigrationChunk, ~u64{0});
  if (const u64 odd = store.ram_size() % kMigrationChunk / kPageSize; odd != 0) pending_.back() = (u64{1} << odd) - 1;
  store.arm_dirty(BackingOffset(0), store.ram_size());
  MigrationWriter writer(out_);
  writer.header();
  writer.identity(machine_identity(machine_));
  poller_.add_source(this);
  listening_ = connecting_ = true;
  set_status(MigrationStatus::Active);
  poller_.wake();
  return {};
}

// --- The channel ---

bool Migration::limited() const {
  if (parameters_.max_bandwidth == 0 || last_) return false;
  const double seconds = static_cast<double>(host_monotonic_ns() - began_) / static_cast<double>(kSecond);
  return static_cast<double>(progress_.sent) > static_cast<double>(parameters_.max_bandwidth) * seconds;
}

void Migration::prepare(std::vector<pollfd>& fds, i64& timeout) {
  if (channel_ && !limited()) {
    fds.push_back({channel_.fd(), POLLOUT, 0});
  } else {
    const i64 wait = channel_ ? kBandwidthWait : kCommandWait;
    timeout = timeout < 0 ? wait : std::min(timeout, wait);
  }
}

void Migration::dispatch(std::span<const pollfd> fds, bool failed) {
  if (failed || !under_way()) return;
  if (!channel_) return complete();
  if (fds.empty() || fds[0].revents == 0 || !connected()) return;
  pump();
}

// Descriptors that are no sockets have nothing to wait for.
bool Migration::connected() {
  if (!std::exchange(connecting_, false)) return true;
  const int error = net::connection_error(channel_.fd());
  if (error == 0) return true;
  fail(fmt::format("cannot connect ({}); start the other side first", std::strerror(error)));
  return false;
}

void Migration::pump() {
  const u64 before = progress_.sent;
  while (under_way() && progress_.sent - before < kBytesAtOnce && !limited()) {
    if (out_.empty()) {
      if (last_) break;
      produce();
      continue;
    }
    if (!write_out()) return;
  }
  // The other side may go on from now on: nothing must come in between.
  if (under_way() && last_ && out_.empty()) end_of_stream();
}

bool Migration::write_out() {
  const ssize_t count = ::write(channel_.fd(), out_.data() + written_, out_.size() - written_);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return false;
    fail(fmt::format("sending failed ({}); see whether the other side still runs", std::strerror(errno)));
    return false;
  }
  written_ += static_cast<std::size_t>(count);
  progress_.sent += static_cast<u64>(count);
  if (written_ < out_.size()) return true;
  out_.clear();
  written_ = 0;
  return true;
}

// --- Memory ---

// Which pages of the chunk the guest has written since it was sent; from now on its writes count anew.
u64 Migration::take_dirty(std::size_t chunk) {
  BackingStore& store = machine_.bus().store();
  u64 mask = pending_[chunk];
  const u64 first = chunk * kMigrationChunk;
  const u64 end = std::min(first + kMigrationChunk, store.ram_size());
  for (u64 at = first; at < end; at += kPageSize) {
    if (store.dirty(BackingOffset(at))) mask |= u64{1} << ((at - first) / kPageSize);
  }
  pending_[chunk] = 0;
  if (mask != 0) store.arm_dirty(BackingOffset(first), end - first);
  return mask;
}

void Migration::send_chunk(std::size_t chunk) {
  const u64 mask = take_dirty(chunk);
  if (mask == 0) return;
  const u64 bytes = MigrationWriter(out_).pages(machine_.bus().store(), chunk * kMigrationChunk, mask);
  const auto count = static_cast<u64>(std::popcount(mask));
  progress_.pages += bytes / kPageSize;
  progress_.zero_pages += count - bytes / kPageSize;
}

void Migration::produce() {
  while (out_.size() < kMigrationChunk && chunk_ < pending_.size()) send_chunk(chunk_++);
  if (chunk_ == pending_.size()) end_round();
}

u64 Migration::left() const {
  const BackingStore& store = machine_.bus().store();
  u64 pages = 0;
  for (std::size_t chunk = 0; chunk < pending_.size(); chunk++) {
    u64 mask = pending_[chunk];
    const u64 first = chunk * kMigrationChunk;
    for (u64 page = 0; page < kMigrationChunkPages && first + page * kPageSize < store.ram_size(); page++) {
      if (store.dirty(BackingOffset(first + page * kPageSize))) mask |= u64{1} << page;
    }
    pages += static_cast<u64>(std::popcount(mask));
  }
  return pages * kPageSize;
}

// What is left is sent while the guest stands still if that does not take too long.
void Migration::end_round() {
  progress_.rounds++;
  chunk_ = 0;
  const double seconds =
      static_cast<double>(std::max<i64>(host_monotonic_ns() - began_, kMillisecond)) / static_cast<double>(kSecond);
  const double bandwidth = static_cast<double>(progress_.sent) / seconds;
  const double most = bandwidth * static_cast<double>(parameters_.downtime_limit) / 1000;
  if (static_cast<double>(left()) > most && !machine_.paused()) return;
  if (auto stopped = stop_guest(); !stopped) return fail(stopped.message());
  produce_rest();
}

// --- The end ---

Result<> Migration::stop_guest() {
  set_status(MigrationStatus::Device);
  was_running_ = !machine_.paused();
  stopped_at_ = host_monotonic_ns();
  machine_.pause();
  stopped_by_us_ = was_running_;
  if (auto settled = machine_.block_jobs().settle_mirrors(); !settled) return settled;
  return machine_.flush_disks();
}

void Migration::produce_rest() {
  const BackingStore& store = machine_.bus().store();
  for (std::size_t chunk = 0; chunk < pending_.size(); chunk++) send_chunk(chunk);
  MigrationWriter writer(out_);
  for (u64 at = store.ram_size() / kMigrationChunk * kMigrationChunk; at < store.size(); at += kMigrationChunk) {
    const u64 pages = std::min(kMigrationChunkPages, (store.size() - at) / kPageSize);
    writer.pages(store, at, pages == kMigrationChunkPages ? ~u64{0} : (u64{1} << pages) - 1);
  }
  StateWriter state;
  machine_.state(state);
  writer.state(state.data());
  writer.end(was_running_);
  last_ = true;
  // The other side opens the disks as soon as it has all.
  if (auto released = machine_.release_disks(); !released) fail(released.message());
}

void Migration::end_of_stream() {
  channel_.close();
  complete();
}

// Called again until a command has ended.
void Migration::complete() {
  const auto closed = channel_.closed();
  if (!closed) return fail(closed.message());
  if (!closed.value()) return;
  listening_ = false;
  poller_.remove_source(this);
  const i64 now = host_monotonic_ns();
  progress_.total_ms = static_cast<u64>((now - began_) / kMillisecond);
  progress_.downtime_ms = static_cast<u64>((now - stopped_at_) / kMillisecond);
  machine_.note_migrated();
  set_status(MigrationStatus::Completed);
}

void Migration::fail(std::string trouble) {
  log::warning("migration: " + trouble);
  give_up(MigrationStatus::Failed, std::move(trouble));
}

void Migration::cancel() {
  if (under_way()) give_up(MigrationStatus::Cancelled, {});
}

void Migration::give_up(MigrationStatus status, std::string trouble) {
  if (std::exchange(listening_, false)) poller_.remove_source(this);
  channel_.abandon();
  out_.clear();
  progress_.trouble = std::move(trouble);
  progress_.total_ms = static_cast<u64>((host_monotonic_ns() - began_) / kMillisecond);
  auto acquired = machine_.acquire_disks();
  if (!acquired) progress_.trouble += (progress_.trouble.empty() ? "" : "; ") + acquired.message();
  set_status(status);
  if (acquired && std::exchange(stopped_by_us_, false)) machine_.resume();
}

Migration::Progress Migration::progress() const {
  Progress now = progress_;
  if (under_way()) {
    now.remaining = left();
    now.total_ms = static_cast<u64>((host_monotonic_ns() - began_) / kMillisecond);
  }
  return now;
}

}  // namespace relic86
