// Between the program and its VNC library (relic86-vnc.so), which alone knows libvncserver, so that runs without a VNC
// server load none of it. Each client has a thread of its own and a screen of its own in the library: one that does not
// read, or sends nonsense, holds up nobody else.
#pragma once

#include <optional>
#include <string>

#include "base/types.h"
#include "display/frame_exchange.h"

namespace relic86 {

// A message KeyEvent (RFC 6143, 7.5.4), or QEMU's extended one, which has the key's position, too.
struct VncKey {
  u32 symbol = 0;  // an X11 keysym
  u16 set1 = 0;    // scan code of set 1, E0xxh with its prefix; 0: not known
  bool down = false;
};

// A message PointerEvent (7.5.5).
struct VncPointer {
  u8 buttons = 0;  // bits 0 to 2: left, middle, right; 3, 4: the wheel away from and to the user
  u16 x = 0, y = 0;
  u16 width = 0, height = 0;  // of the picture that it points into
  bool relative = false;      // x and y are counts, 7FFFh being none
};

enum class VncPower : u8 { Reset, PowerButton };

// What all clients are told of besides pictures.
struct VncState {
  bool absolute_pointer = false;
  u8 lights = 0;  // keyboard: bit 0 scroll lock, 1 num lock, 2 caps lock
};

// A client's side of the program; all of it is called on the client's thread.
class VncClientHost {
 public:
  // Readable when there is a new frame or state, or the client is to go.
  virtual int news_descriptor() const = 0;
  // After that: takes notice of it.
  virtual void take_news() = 0;
  virtual bool leaving() const = 0;
  virtual FrameExchange::Taken take_frame() = 0;
  virtual VncState state() = 0;
  // Asks for the newest frame even while the machine is paused.
  virtual void refresh() = 0;

  // None: nobody is let in at present.
  virtual std::optional<std::string> password() = 0;
  // The client has been let in, and wants the display alone or shares it. False: it may not.
  virtual bool enter(bool shared) = 0;
  // May wait for a machine that has not yet taken what came before.
  virtual void key(const VncKey& key) = 0;
  virtual void point(const VncPointer& pointer) = 0;
  // UTF-8
  virtual void set_clipboard(std::string text) = 0;
  virtual void power(VncPower what) = 0;

 protected:
  ~VncClientHost() = default;
};

struct VncClientOptions {
  int socket = -1;          // the library closes it
  bool web_socket = false;  // RFC 6455; else plain RFB
  bool reverse = false;     // we have called it: no password is asked for
  bool password = false;
  bool power_control = false;
  const char* name = "";  // of the machine; lives as long as the client
};

// The library's entry points. "relic86_prepare_vnc" is called once, before the first client: all clients need a
// password, or none does.
using PrepareVnc = void(bool password);
// "relic86_serve_vnc" returns when the client has gone.
using ServeVnc = void(VncClientHost& host, const VncClientOptions& options);

}  // namespace relic86
