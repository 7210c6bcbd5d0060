#include "machine/disk_exports.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/socket_file.h"
#include "machine/board_options.h"
#include "machine/host_time.h"
#include "machine/machine.h"

namespace relic86 {

namespace {

constexpr i64 kSecond = 1'000'000'000;
// A client that says nothing keeps others out. Who means it well needs milliseconds.
constexpr i64 kLongestHandshake = 20 * kSecond;

bool changes(BlockRequest::Kind kind) { return kind != BlockRequest::Kind::Read && kind != BlockRequest::Kind::Flush; }

}  // namespace

// A program at the other end. What it has asked for may be answered after it has gone.
struct DiskExports::Client final : NbdSession::Disks, std::enable_shared_from_this<Client> {
  Client(DiskExports& exports, net::HostSocket connection) : owner(exports), socket(std::move(connection)) {
    owner.places_.push_back(place);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() = default;

  std::vector<NbdSession::Export> exports() override;
  bool open(const std::string& name) override;
  void submit(BlockRequest request, BlockDone done) override;
  void extents(u64 offset, u64 length, unsigned most, NbdSession::ExtentsDone done) override;

  void receive();
  void send();
  bool over() const { return gone || (session.ended() && session.output().empty()) || until_deadline() == 0; }
  // Nanoseconds that it may still take to choose an export; nothing: it has one.
  std::optional<i64> until_deadline() const {
    if (session.used() != nullptr) return std::nullopt;
    return std::max<i64>(0, since + kLongestHandshake - host_monotonic_ns());
  }
  short events() const {
    return static_cast<short>((session.takes_input() ? POLLIN : 0) | (session.output().empty() ? 0 : POLLOUT));
  }

  DiskExports& owner;
  net::HostSocket socket;
  bool gone = false;
  std::string export_id;                // the one that it uses; empty: none yet
  std::shared_ptr<DriveMedium> medium;  // of that one
  const i64 since = host_monotonic_ns();
  // One of kMostClients, for as long as the client, or a request of its, is there.
  std::shared_ptr<Place> place = std::make_shared<Place>();
  NbdSession session{*this};
};

std::vector<NbdSession::Export> DiskExports::Client::exports() {
  std::vector<NbdSession::Export> list;
  for (const Export& each : owner.exports_)
    list.push_back({each.wanted.name, each.wanted.description, each.medium->size_bytes(), owner.may_write(each)});
  return list;
}

bool DiskExports::Client::open(const std::string& name) {
  const Export* const found = owner.find(owner.id_of_name(name));
  if (found == nullptr) return false;
  export_id = found->wanted.id;
  medium = found->medium;
  return true;
}

void DiskExports::Client::submit(BlockRequest request, BlockDone done) {
  const Export* const mine = owner.find(export_id);
  if (changes(request.kind) && (mine == nullptr || !owner.may_write(*mine)))
    return done(std::move(request), Error{"the machine has come, and its guest writes to the disk"});
  medium->submit_beside(std::move(request), [client = weak_from_this(), kept = place, told = std::move(done)](
                                                BlockRequest&& answered, Result<> result) {
    const auto alive = client.lock();
    if (!alive) return;
    told(std::move(answered), std::move(result));
    alive->send();
  });
}

void DiskExports::Client::extents(u64 offset, u64 length, unsigned most, NbdSession::ExtentsDone done) {
  const auto found = std::make_shared<std::vector<DiskImage::Extent>>();
  // The work waits in the medium's own queue, which ends before the medium does.
  const auto look = [image = medium.get(), found, offset, length, most]() -> Result<> {
    for (u64 at = offset; at < offset + length;) {
      auto extent = image->extent(at, offset + length - at);
      if (!extent) return extent.error();
      if (extent.value().length == 0) return Error{"an image tells of no bytes at all"};
      at += extent.value().length;
      if (!found->empty() && found->back().here == extent.value().here) {
        found->back().length += extent.value().length;
      } else if (found->size() == most) {
        return {};
      } else {
        found->push_back(extent.value());
      }
    }
    return {};
  };
  medium->run(look, [client = weak_from_this(), kept = place, found, told = std::move(done)](const Result<>& result) {
    const auto alive = client.lock();
    if (!alive) return;
    told(result ? Result(std::move(*found)) : Result<std::vector<DiskImage::Extent>>(result.error()));
    alive->send();
  });
}

void DiskExports::Client::receive() {
  std::array<u8, 65536> bytes;
  for (unsigned turns = 0; turns < 16 && session.takes_input(); turns++) {
    const ssize_t count = ::recv(socket.fd(), bytes.data(), bytes.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
      gone = true;
      return;
    }
    session.receive(std::span(bytes).first(static_cast<std::size_t>(count)));
  }
}

void DiskExports::Client::send() {
  while (!gone && !session.output().empty()) {
    const auto bytes = session.output();
    const ssize_t count = ::send(socket.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 0) {
      gone = true;
      return;
    }
    session.note_sent(static_cast<std::size_t>(count));
  }
}

// --- The server ---

// Nobody is told: the listeners may be gone.
DiskExports::~DiskExports() {
  if (running()) close();
}

Result<> DiskExports::start(const net::SocketAddress& address, u64 most_clients) {
  if (running()) return Error{"NBD server already running"};
  auto listener = net::listen_at(address);
  if (!listener) return listener.error();
  listener_ = std::move(listener).value();
  socket_path_ = address.family() == AF_UNIX ? address.path.sun_path : "";
  most_clients_ =
      static_cast<std::size_t>(most_clients == 0 ? kMostClients : std::min<u64>(most_clients, kMostClients));
  poller_.add_source(this);
  return {};
}

Result<> DiskExports::stop() {
  if (!running()) return Error{"NBD server not running"};
  close();
  while (!exports_.empty()) delete_export(exports_.begin());
  return {};
}

void DiskExports::close() {
  poller_.remove_source(this);
  clients_.clear();
  listener_.close();
  if (!socket_path_.empty()) remove_socket(socket_path_);
}

void DiskExports::prepare(std::vector<pollfd>& fds, i64& timeout) {
  std::erase_if(places_, [](const auto& place) { return place.expired(); });
  for (const auto& client : clients_) {
    if (const auto left = client->until_deadline(); left) timeout = timeout < 0 ? *left : std::min(timeout, *left);
  }
  if (places_.size() < most_clients_) fds.push_back({listener_.fd(), POLLIN, 0});
  for (const auto& client : clients_) fds.push_back({client->socket.fd(), client->events(), 0});
}

void DiskExports::dispatch(std::span<const pollfd> fds, bool failed) {
  if (failed) return;
  for (const pollfd& ready : fds) {
    if (ready.revents == 0) continue;
    if (ready.fd == listener_.fd()) {
      accept_client();
      continue;
    }
    const auto client =
        std::find_if(clients_.begin(), clients_.end(), [&](const auto& each) { return each->socket.fd() == ready.fd; });
    if (client == clients_.end()) continue;
    if ((ready.revents & POLLIN) != 0) (*client)->receive();
    if ((ready.revents & (POLLHUP | POLLERR)) != 0) (*client)->gone = true;
    (*client)->send();
  }
  forget_ended();
}

void DiskExports::accept_client() {
  net::HostSocket connection(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection) return;
  const int on = 1;
  (void)::setsockopt(connection.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // of a unix socket: there is no delay
  clients_.push_back(std::make_shared<Client>(*this, std::move(connection)));
  clients_.back()->send();
}

void DiskExports::forget_ended() {
  std::erase_if(clients_, [](const auto& client) { return client->over(); });
}

// --- Exports ---

const DiskExports::Export* DiskExports::find(const std::string& id) const {
  const auto at = std::find_if(exports_.begin(), exports_.end(), [&](const Export& e) { return e.wanted.id == id; });
  return at == exports_.end() || id.empty() ? nullptr : &*at;
}

std::string DiskExports::id_of_name(const std::string& name) const {
  const auto at =
      std::find_if(exports_.begin(), exports_.end(), [&](const Export& e) { return e.wanted.name == name; });
  return at == exports_.end() ? "" : at->wanted.id;
}

Result<> DiskExports::allow_drive(const std::string& drive) const {
  for (const Export& each : exports_) {
    if (!drive.empty() && each.wanted.drive == drive)
      return Error{
          fmt::format("drive {} is exported as '{}'; remove the export (block-export-del)", drive, each.wanted.name)};
  }
  return {};
}

Result<> DiskExports::allow_node(const std::string& node) const {
  for (const Export& each : exports_) {
    if (!node.empty() && each.wanted.node == node) return Error{fmt::format("Node {} is in use", node)};
  }
  return {};
}

Result<std::shared_ptr<DriveMedium>> DiskExports::medium_of(const Wanted& wanted) {
  using Opened = Result<std::shared_ptr<DriveMedium>>;
  if (wanted.drive.empty()) {
    auto medium = open_medium("node " + wanted.node, image_source(machine_.block_nodes(), wanted.node, "", ""),
                              !wanted.writable, false);
    if (medium) machine_.serve_medium(medium.value());
    return medium;
  }
  const auto at = machine_.media().find(wanted.drive);
  if (at == machine_.media().end()) return Error{fmt::format("Device '{}' has no medium", wanted.drive)};
  // The disks of a machine that is still elsewhere are copied here before it comes.
  if (machine_.incoming() != nullptr) {
    if (auto acquired = at->second->acquire(); !acquired) return acquired.error();
    return Opened(at->second);
  }
  if (wanted.writable)
    return Error{
        fmt::format("drive {}: the guest writes to it, and knows nothing of what others write; export it "
                    "without writable",
                    wanted.drive)};
  return Opened(at->second);
}

Result<> DiskExports::add(Wanted wanted) {
  if (!running()) return Error{"NBD server not running"};
  if (find(wanted.id) != nullptr) return Error{fmt::format("Block export id '{}' is already in use", wanted.id)};
  if (!id_of_name(wanted.name).empty())
    return Error{fmt::format("NBD server already has export named '{}'", wanted.name)};
  auto medium = medium_of(wanted);
  if (!medium) return medium.error();
  if (wanted.writable && medium.value()->read_only()) return Error{"Cannot export read-only node as writable"};
  exports_.push_back({std::move(wanted), std::move(medium).value()});
  return {};
}

// The disk of a machine that is on its way here is its source's to write. From its arrival on it is the guest's alone.
bool DiskExports::may_write(const Export& which) const {
  return which.wanted.writable && (which.wanted.drive.empty() || machine_.incoming() != nullptr);
}

bool DiskExports::used(const Export& which) const {
  return std::any_of(clients_.begin(), clients_.end(),
                     [&](const auto& client) { return client->export_id == which.wanted.id; });
}

Result<> DiskExports::remove(const std::string& id, Removal removal) {
  const auto at = std::find_if(exports_.begin(), exports_.end(), [&](const Export& e) { return e.wanted.id == id; });
  if (at == exports_.end()) return Error{fmt::format("Export '{}' is not found", id)};
  forget_ended();
  if (removal == Removal::Safe && used(*at)) return Error{fmt::format("export '{}' still in use", at->wanted.id)};
  delete_export(at);
  return {};
}

void DiskExports::forget_drive(const std::string& drive) {
  for (auto at = exports_.begin(); at != exports_.end();) {
    const auto next = std::next(at);
    if (at->wanted.drive == drive) delete_export(at);
    at = next;
  }
}

void DiskExports::delete_export(std::list<Export>::iterator at) {
  std::erase_if(clients_, [&](const auto& client) { return client->export_id == at->wanted.id; });
  deleted_ = at->wanted.id;
  exports_.erase(at);
  machine_.tell_export();
}

}  // namespace relic86
