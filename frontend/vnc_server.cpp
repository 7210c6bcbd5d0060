#include "frontend/vnc_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "frontend/host_library.h"
#include "machine/host_time.h"
#include "options/json_properties.h"

namespace relic86 {

VncServer::VncServer(Machine& machine, ScreenFeed& feed, const VncOption& option)
    : machine_(machine), feed_(feed), option_(option) {}

VncServer::~VncServer() {
  machine_.provide_remote_display(nullptr);
  listener_.reset();
  web_listener_.reset();
  {
    std::lock_guard lock(mutex_);
    for (auto& [number, row] : rows_) row.standing = Row::Standing::Leaves;
  }
  for (auto& [number, row] : rows_) row.session->leave();
  for (auto& [number, row] : rows_) row.session.reset();  // their threads may still ask for the table
}

Result<std::unique_ptr<VncServer>> VncServer::open(Machine& machine, ScreenFeed& feed, HostPoller& poller) {
  const auto& option = machine.options().vnc;
  if (!option) return std::unique_ptr<VncServer>();
  const auto prepare = host_entry_point(HostLibrary::Vnc, "relic86_prepare_vnc");
  const auto serve = host_entry_point(HostLibrary::Vnc, "relic86_serve_vnc");
  for (const auto* entry : {&prepare, &serve}) {
    if (!*entry)
      return Error{fmt::format("{}: the VNC library cannot be loaded: {}", option->option, entry->message())};
  }
  std::unique_ptr<VncServer> server(new VncServer(machine, feed, *option));
  server->serve_ = reinterpret_cast<ServeVnc*>(serve.value());
  if (auto done = server->take_secret(); !done) return done.error();
  reinterpret_cast<PrepareVnc*>(prepare.value())(option->password);
  if (auto done = server->listen(poller); !done) return done.error();
  machine.provide_remote_display(server.get());
  // Whoever looks at a machine that stops sees how it stands.
  machine.on_event([raw = server.get()](MachineEvent event) {
    if (event == MachineEvent::Stop && !raw->rows_.empty()) raw->feed_.update();
  });
  return server;
}

Result<> VncServer::listen(HostPoller& poller) {
  if (option_.reverse) {
    auto viewer = call_viewer(option_);
    if (!viewer) return viewer.error();
    // Its thread begins when the machine runs: in the sandbox, if there is one.
    machine_.post([this, connection = viewer.value()] { accept(connection, false); });
    return {};
  }
  auto listener = VncListener::open(option_, poller);
  if (!listener) return listener.error();
  listener_ = std::move(listener).value();
  listener_->on_connection([this](int connection) { accept(connection, false); });
  if (!option_.web_socket) return {};
  auto web = VncListener::open_web_socket(option_, listener_->port(), poller);
  if (!web) return web.error();
  web_listener_ = std::move(web).value();
  web_listener_->on_connection([this](int connection) { accept(connection, true); });
  return {};
}

Result<> VncServer::take_secret() {
  if (option_.secret.empty()) return {};
  const auto& objects = machine_.options().objects;
  const auto at = std::find_if(objects.begin(), objects.end(), [&](const auto& o) { return o.id == option_.secret; });
  if (at == objects.end()) return {};  // check_vnc() has seen to it
  const auto wrong = [&](std::string_view what) {
    return Error{fmt::format("{}: the secret '{}' {}", option_.option, option_.secret, what)};
  };
  const std::string format = property_value(at->properties, "format");
  if ((!format.empty() && format != "raw") || !property_value(at->properties, "keyid").empty())
    return wrong("is encoded or encrypted; give it with format=raw, in a file= that others cannot read");
  const std::string path = property_value(at->properties, "file");
  if (path.empty()) {
    password_ = property_value(at->properties, "data");
    return {};
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return wrong(fmt::format("cannot be read from {}; name a file that exists", path));
  password_.assign(std::istreambuf_iterator<char>(file), {});
  return {};
}

// A client that has not come in yet has to go when another one needs its place: nobody keeps others out by doing
// nothing.
bool VncServer::make_room() {
  std::lock_guard lock(mutex_);
  const auto counts = [](const auto& each) { return each.second.standing != Row::Standing::Leaves; };
  if (static_cast<unsigned>(std::count_if(rows_.begin(), rows_.end(), counts)) < option_.most_clients) return true;
  const auto oldest = std::find_if(rows_.begin(), rows_.end(),
                                   [](const auto& each) { return each.second.standing == Row::Standing::Connecting; });
  if (oldest == rows_.end()) return false;
  oldest->second.standing = Row::Standing::Leaves;
  oldest->second.session->leave();
  return true;
}

void VncServer::accept(int connection, bool web_socket) {
  // Those that were asked to go are gone soon; who connects faster than that waits for the next time.
  constexpr unsigned kMostLeaving = 32;
  if (rows_.size() >= option_.most_clients + kMostLeaving || !make_room()) {
    ::close(connection);
    return;
  }
  Client client{++last_number_, remote_end(connection), local_end(connection)};
  client.address.web_socket = client.server.web_socket = web_socket;
  VncClientOptions how;
  how.socket = connection;
  how.web_socket = web_socket;
  how.reverse = option_.reverse;
  how.password = option_.password;
  how.power_control = option_.power_control;
  how.name = machine_.options().name.empty() ? "relic86" : machine_.options().name.c_str();
  auto session = std::make_unique<VncSession>(VncSession::Surroundings{machine_, feed_, *this, serve_}, client, how);
  VncSession& started = *session;
  {
    std::lock_guard lock(mutex_);
    rows_[client.number].session = std::move(session);
  }
  tell(Event::Connected, client);
  started.start();
}

void VncServer::tell(Event event, const Client& client) {
  event_ = event;
  event_client_ = client;
  machine_.tell_remote_display();
}

// --- The clients' threads ---

std::optional<std::string> VncServer::client_password() {
  std::lock_guard lock(mutex_);
  if (password_.empty() || (expires_ && host_unix_seconds() >= *expires_)) return std::nullopt;
  return password_;
}

bool VncServer::let_in(VncSession& session, bool shared) {
  const u64 number = session.client().number;
  {
    std::lock_guard lock(mutex_);
    Row& own = rows_.at(number);
    if (own.standing == Row::Standing::Leaves) return false;
    if (option_.sharing == VncOption::Sharing::ForceShared && !shared) return false;
    if (option_.sharing == VncOption::Sharing::AllowExclusive) {
      for (auto& [other, row] : rows_) {
        if (other == number || row.standing == Row::Standing::Connecting || row.standing == Row::Standing::Leaves)
          continue;
        if (shared && row.standing == Row::Standing::Alone) return false;
        if (shared) continue;
        row.standing = Row::Standing::Leaves;
        row.session->leave();
      }
    }
    own.standing = shared ? Row::Standing::Shares : Row::Standing::Alone;
  }
  machine_.post([this, number] {
    const auto at = rows_.find(number);
    if (at == rows_.end()) return;
    at->second.announced = true;
    tell(Event::Initialized, at->second.session->client());
  });
  return true;
}

void VncServer::client_gone(u64 number) {
  machine_.post([this, number] { forget(number); });
}

void VncServer::forget(u64 number) {
  std::unique_ptr<VncSession> session;
  {
    std::lock_guard lock(mutex_);
    const auto at = rows_.find(number);
    if (at == rows_.end()) return;
    session = std::move(at->second.session);
    rows_.erase(at);
  }
  const Client client = session->client();
  session.reset();
  tell(Event::Disconnected, client);
}

// --- RemoteDisplay ---

std::vector<RemoteAddress> VncServer::addresses() const {
  std::vector<RemoteAddress> addresses;
  for (const auto* listener : {&listener_, &web_listener_}) {
    if (*listener != nullptr) addresses.push_back((*listener)->address());
  }
  return addresses;
}

std::vector<RemoteDisplay::Client> VncServer::clients() const {
  std::vector<Client> clients;
  for (const auto& [number, row] : rows_) {
    if (row.announced) clients.push_back(row.session->client());
  }
  return clients;
}

Result<> VncServer::set_password(const std::string& password) {
  if (!option_.password)
    return Error{"Could not set password: the VNC server asks for none; start it with password=on"};
  std::lock_guard lock(mutex_);
  password_ = password;
  return {};
}

Result<> VncServer::expire_password(std::optional<i64> when) {
  if (!option_.password)
    return Error{"Could not set password expire time: the VNC server asks for none; start it with password=on"};
  std::lock_guard lock(mutex_);
  expires_ = when;
  return {};
}

}  // namespace relic86
