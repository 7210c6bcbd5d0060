// -vnc and -display vnc=: where a VNC server listens for clients (RFC 6143), and whom it lets in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct Options;

inline constexpr unsigned kFirstVncPort = 5900;           // display 0
inline constexpr unsigned kFirstVncWebSocketPort = 5700;  // the same for browsers

struct VncOption {
  std::string option;          // as the user wrote it, for messages: "-vnc :1"
  std::string id = "default";  // what set_password and others call it
  std::string host;            // address to listen on, or of the viewer that is called
  unsigned port = 0;           // TCP
  unsigned to = 0;             // the last port that is tried; 0: port alone
  std::string path;            // of a unix socket; empty: TCP
  bool reverse = false;        // call a viewer that listens, instead of listening
  struct WebSocket {
    std::string host;
    unsigned port = 0;  // 0: 5700 and the display's number
  };
  std::optional<WebSocket> web_socket;
  enum class Sharing : u8 {
    AllowExclusive,  // a client that asks for it has the display alone
    ForceShared,     // who asks for that is sent away
    Ignore           // clients share whatever they ask for
  } sharing = Sharing::AllowExclusive;
  bool password = false;  // clients need one; until it is set none is let in
  std::string secret;     // the -object secret that has it
  unsigned most_clients = 32;
  bool power_control = false;  // clients may reset and power off the machine (xvp)
};

// -vnc DISPLAY[,..]
Result<> set_vnc(Options& options, std::string_view value);
// -display vnc=DISPLAY[,..]; value: what follows "vnc="
Result<> set_vnc_display(Options& options, std::string_view value);
// password-secret= names an object.
Result<> check_vnc(const Options& options);

}  // namespace relic86
