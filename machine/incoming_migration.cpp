#include "machine/incoming_migration.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "machine/machine.h"
#include "machine/machine_identity.h"
#include "machine/migration.h"
#include "net/host_socket.h"

namespace relic86 {

namespace {
constexpr std::size_t kPiece = 256u << 10;

// The other side may send anything.
std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 200;
  std::string shown(text.substr(0, kMost));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

}  // namespace

Result<> IncomingMigration::listen(const std::string& uri, const NamedDescriptor& named) {
  if (channel_) return Error{"The incoming migration has already been started"};
  bool listens = false;
  auto channel = open_incoming(uri, named, listens);
  if (!channel) return channel.error();
  channel_ = std::move(channel).value();
  machine_.migration().note_incoming(MigrationStatus::Setup);
  if (listens)
    poller_.watch(channel_.fd(), [this] { accept(); });
  else
    poller_.watch(channel_.fd(), [this] { receive(); });
  return {};
}

void IncomingMigration::stop() {
  if (!channel_) return;
  poller_.unwatch(channel_.fd());
  channel_.abandon();
}

void IncomingMigration::accept() {
  const int fd = ::accept4(channel_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  stop();
  channel_ = MigrationChannel(fd, 0);
  poller_.watch(fd, [this] { receive(); });
}

// A piece at a time: the monitor is served in between.
void IncomingMigration::receive() {
  std::vector<u8> piece(kPiece);
  const ssize_t count = ::read(channel_.fd(), piece.data(), piece.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) return fail(fmt::format("receiving failed ({}); migrate again", std::strerror(errno)));
  if (count == 0) {
    if (auto complete = reader_.end_of_stream(); !complete) fail(complete.message());
    return;
  }
  if (machine_.migration().status() == MigrationStatus::Setup)
    machine_.migration().note_incoming(MigrationStatus::Active);
  if (auto taken = reader_.take(std::span(piece).first(static_cast<std::size_t>(count))); !taken)
    return fail(taken.message());
  if (reader_.finished()) arrive();
}

void IncomingMigration::arrive() {
  stop();
  if (auto acquired = machine_.acquire_disks(); !acquired) return fail(acquired.message());
  if (auto loaded = machine_.load_state(state_); !loaded)
    return fail(
        fmt::format("the state does not fit this relic86 ({}); use the same program on both sides", loaded.message()));
  machine_.after_load();
  state_ = {};
  const bool runs = wants_run_ || (reader_.ran() && !machine_.options().start_paused);
  // Destroys this.
  machine_.note_arrived(runs);
}

void IncomingMigration::fail(const std::string& trouble) {
  stop();
  machine_.migration().note_incoming(MigrationStatus::Failed);
  machine_.fail_arrival(trouble);
}

Result<> IncomingMigration::identity(std::string_view text) {
  const auto difference = identity_difference(text, machine_);
  if (!difference) return {};
  return Error{
      fmt::format("the machine that comes has other options: {}, this one has {}; start it as it was started there",
                  printable(difference->there), difference->here)};
}

u64 IncomingMigration::memory_size() const { return machine_.bus().store().size(); }

void IncomingMigration::page(u64 offset, const u8* content) {
  BackingStore& store = machine_.bus().store();
  u8* const page = store.host(BackingOffset(offset));
  static constexpr std::array<u8, kPageSize> kZeros{};
  const u8* const wanted = content == nullptr ? kZeros.data() : content;
  if (std::memcmp(page, wanted, kPageSize) == 0) return;  // an untouched page stays untouched
  std::memcpy(page, wanted, kPageSize);
  if (store.watched(BackingOffset(offset))) store.note_write(BackingOffset(offset), kPageSize);
}

Result<> IncomingMigration::state(std::vector<u8> state) {
  state_ = std::move(state);
  return {};
}

}  // namespace relic86
