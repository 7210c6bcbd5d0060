// The remote display: who looks at the machine through it, and the password that they need.
#include <fmt/format.h>

#include <algorithm>

#include "control/commands/command.h"
#include "machine/host_time.h"
#include "machine/remote_display.h"

namespace relic86 {

namespace {

Json describe(const RemoteAddress& address) {
  constexpr const char* kFamilies[] = {"ipv4", "ipv6", "unix"};
  return {{"host", address.host},
          {"service", address.service},
          {"family", kFamilies[static_cast<std::size_t>(address.family)]},
          {"websocket", address.web_socket}};
}

const char* auth_of(const RemoteDisplay& display) { return display.needs_password() ? "vnc" : "none"; }

Json describe_clients(const RemoteDisplay& display) {
  Json list = Json::array();
  for (const RemoteDisplay::Client& client : display.clients()) list.push_back(describe(client.address));
  return list;
}

CommandReply query_vnc(Machine& machine, const Arguments&) {
  const RemoteDisplay* const display = machine.remote_display();
  if (display == nullptr || display->addresses().empty()) return Json{{"enabled", false}};
  Json info = describe(display->addresses().front());
  info.erase("websocket");
  info["enabled"] = true;
  info["auth"] = auth_of(*display);
  info["clients"] = describe_clients(*display);
  return info;
}

CommandReply query_vnc_servers(Machine& machine, const Arguments&) {
  const RemoteDisplay* const display = machine.remote_display();
  if (display == nullptr) return Json::array();
  Json servers = Json::array();
  for (const RemoteAddress& address : display->addresses()) {
    Json server = describe(address);
    server["auth"] = auth_of(*display);
    servers.push_back(std::move(server));
  }
  return Json::array({{{"id", display->id()},
                       {"server", std::move(servers)},
                       {"clients", describe_clients(*display)},
                       {"auth", auth_of(*display)}}});
}

// The display that a command is about, or why there is none.
struct Asked {
  RemoteDisplay* display = nullptr;
  std::string refusal{};
};
Asked asked_display(Machine& machine, const Arguments& arguments) {
  if (arguments.text("protocol", "vnc") != "vnc") return {.refusal = "there is no SPICE server"};
  RemoteDisplay* const display = machine.remote_display();
  if (display == nullptr) return {.refusal = "there is no VNC server; start the machine with -vnc :1,password=on"};
  const std::string id = arguments.text("display", display->id());
  if (id != display->id())
    return {.refusal = fmt::format("there is no VNC server '{}'; it is '{}'", id, display->id())};
  return {.display = display};
}

CommandReply set_password(Machine& machine, const Arguments& arguments) {
  const Asked asked = asked_display(machine, arguments);
  if (asked.display == nullptr) return CommandError{.message = asked.refusal};
  if (arguments.text("connected", "keep") != "keep")
    return CommandError{.message = "Parameter 'connected' must be 'keep' for VNC: those who are in stay"};
  return asked.display->set_password(arguments.text("password"));
}

CommandReply change_password(Machine& machine, const Arguments& arguments) {
  const Asked asked = asked_display(machine, arguments);
  if (asked.display == nullptr) return CommandError{.message = asked.refusal};
  return asked.display->set_password(arguments.text("password"));
}

// "now", "never", "+SECONDS" from now on, "SECONDS" since 1970.
CommandReply expire_password(Machine& machine, const Arguments& arguments) {
  const Asked asked = asked_display(machine, arguments);
  if (asked.display == nullptr) return CommandError{.message = asked.refusal};
  std::string time = arguments.text("time");
  if (time == "never") return asked.display->expire_password(std::nullopt);
  i64 when = 0;
  if (time == "now") time = "+0";
  if (time.starts_with('+')) {
    when = host_unix_seconds();
    time.erase(0, 1);
  }
  constexpr std::size_t kMostDigits = 12;
  if (time.empty() || time.size() > kMostDigits || time.find_first_not_of("0123456789") != std::string::npos)
    return CommandError{.message = "Parameter 'time' expects now, never, +SECONDS or SECONDS since 1970"};
  return asked.display->expire_password(when + std::stoll(time));
}

constexpr Command kCommands[] = {
    {"query-vnc", "", "VncInfo", query_vnc},
    {"query-vnc-servers", "", "[VncInfo2]", query_vnc_servers},
    {"set_password", "protocol:DisplayProtocol password:str *connected:SetPasswordAction *display:str", "",
     set_password},
    {"expire_password", "protocol:DisplayProtocol time:str *display:str", "", expire_password},
    {"change-vnc-password", "password:str", "", change_password},
};

}  // namespace

CommandTable remote_commands() { return kCommands; }

Json describe_remote_event(const RemoteDisplay& display) {
  Json server = describe(display.event_client().server);
  server["auth"] = auth_of(display);
  return {{"server", std::move(server)}, {"client", describe(display.event_client().address)}};
}

}  // namespace relic86
