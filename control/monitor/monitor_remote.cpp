// The remote display's words: info vnc, set_password, expire_password, change vnc password.
#include <fmt/format.h>

#include "control/commands/command.h"
#include "control/monitor/monitor_commands.h"

namespace relic86::monitor {

namespace {

std::string said(const CommandReply& reply) { return reply ? "" : "Error: " + reply.error().message + "\n"; }

std::string end_of_connection(const char* what, const Json& end) {
  return fmt::format("  {}: {}:{} ({}{})\n", what, end["host"].get<std::string>(), end["service"].get<std::string>(),
                     end["family"].get<std::string>(), end["websocket"].get<bool>() ? " (Websocket)" : "");
}

}  // namespace

std::string info_vnc(Machine& machine) {
  std::string text;
  const CommandReply reply = run_command("query-vnc-servers", machine);
  for (const Json& display : reply.value()) {
    const std::string auth = display["auth"].get<std::string>();
    text += display["id"].get<std::string>() + ":\n";
    for (const Json& server : display["server"])
      text += end_of_connection("Server", server) + fmt::format("    Auth: {} (Sub: none)\n", auth);
    for (const Json& client : display["clients"])
      text += end_of_connection("Client", client) + "    x509_dname: none\n    sasl_username: none\n";
    if (display["server"].empty()) text += fmt::format("  Auth: {} (Sub: none)\n", auth);
  }
  return text.empty() ? "None\n" : text;
}

std::string set_password(Machine& machine, Words words) {
  if (words.size() < 3) return "set_password: vnc, a password and perhaps 'keep' are expected\n";
  Json arguments = {{"protocol", words[1]}, {"password", words[2]}};
  if (words.size() > 3) arguments["connected"] = words[3];
  return said(run_command("set_password", machine, arguments));
}

std::string expire_password(Machine& machine, Words words) {
  if (words.size() < 3) return "expire_password: vnc and now, never, +SECONDS or SECONDS since 1970 are expected\n";
  return said(run_command("expire_password", machine, {{"protocol", words[1]}, {"time", words[2]}}));
}

// change vnc password SECRET
std::string change_vnc(Machine& machine, Words words) {
  if (words.size() != 4 || (words[2] != "password" && words[2] != "passwd"))
    return "change vnc: 'password' and the new one are expected\n";
  return said(run_command("change-vnc-password", machine, {{"password", words[3]}}));
}

}  // namespace relic86::monitor
