// QEMU's extensions of RFB (the registry of the RFB protocol: pseudo-encodings -257, -258, -261, client message 255).
#pragma once

#include <rfb/rfb.h>

#include "display/vnc_client.h"

namespace relic86 {

// What a client has said it understands, and what it has been told.
struct QemuFeatures {
  bool pointer_type = false;   // it may be told that the pointer is relative
  bool extended_keys = false;  // it sends where a key is, too
  bool lights = false;         // it shows the keyboard's lights
  bool answered_keys = false;
  std::optional<bool> told_absolute;
  std::optional<u8> told_lights;
};

void register_qemu_messages();
// Before the library forgets the client.
void release_qemu_messages(rfbClientPtr client);
// Tells what is new. Between two updates only. False: the client has gone.
bool send_qemu_news(rfbClientPtr client, QemuFeatures& features, const VncState& state);

// Of the client; known to the library as its clientData.
struct VncClientRecord {
  VncClientHost* host = nullptr;
  QemuFeatures features{};
  rfbCursorPtr cursor = nullptr;  // shown where the pointer is relative
  bool absolute_pointer = false;
  bool requested = false;  // it has asked for a picture
  bool gone = false;       // the library has let go of it
};
inline VncClientRecord& record_of(rfbClientPtr client) { return *static_cast<VncClientRecord*>(client->clientData); }

}  // namespace relic86
