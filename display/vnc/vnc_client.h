// One client of the VNC server, with a screen of libvncserver's of its own.
#pragma once

#include <rfb/rfb.h>

#include <vector>

#include "display/vnc/qemu_messages.h"
#include "display/vnc_client.h"

namespace relic86 {

class VncClient {
 public:
  VncClient(VncClientHost& host, const VncClientOptions& options) : options_(options), record_{.host = &host} {}
  ~VncClient();
  VncClient(const VncClient&) = delete;
  VncClient& operator=(const VncClient&) = delete;

  // Once, before the first client.
  static void prepare(bool password);
  void serve();

 private:
  bool speaks_http();
  bool open();
  void connect_callbacks();
  rfbClientPtr greet(int socket);
  bool enter();
  void take_frame();
  void resize(const Frame& frame);
  void copy(const Frame& frame, RowRange rows);
  void take_state();
  bool well() const;

  VncClientHost& host() const { return *record_.host; }

  VncClientOptions options_;
  VncClientRecord record_;
  std::vector<u32> pixels_;
  rfbScreenInfoPtr screen_ = nullptr;
  rfbClientPtr client_ = nullptr;  // the library's; null: it has gone
  rfbCursorPtr cursor_ = nullptr;
  VncState state_;
  bool entered_ = false;
};

}  // namespace relic86
