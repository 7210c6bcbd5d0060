#include "display/vnc/qemu_messages.h"

#include <array>
#include <span>

namespace relic86 {

namespace {

constexpr int kPointerType = -257;
constexpr int kExtendedKeys = -258;
constexpr int kLights = -261;

constexpr u8 kQemuMessage = 255;
constexpr u8 kExtendedKeyEvent = 0;  // its submessage

// The library asks with this whether something is a number of ours, and resets nothing.
constexpr int kResetEncodings = 0;

// A client may have sent its encodings before; what it says now counts, and it is told again.
rfbBool enable(rfbClientPtr client, void**, int encoding) {
  QemuFeatures& features = record_of(client).features;
  switch (encoding) {
    case kResetEncodings: return TRUE;
    case kPointerType:
      features.pointer_type = true;
      features.told_absolute.reset();
      return TRUE;
    case kExtendedKeys:
      features.extended_keys = true;
      features.answered_keys = false;
      return TRUE;
    case kLights:
      features.lights = true;
      features.told_lights.reset();
      return TRUE;
    default: return FALSE;
  }
}

u32 number_at(std::span<const u8> bytes, std::size_t at, std::size_t size) {
  u32 number = 0;
  for (std::size_t i = 0; i < size; i++) number = number << 8 | bytes[at + i];
  return number;
}

// U8 submessage, U16 down, U32 keysym, U32 XT key code: those with a prefix E0h have bit 7 set.
rfbBool handle(rfbClientPtr client, void*, const rfbClientToServerMsg* message) {
  if (message->type != kQemuMessage) return FALSE;
  std::array<u8, 11> bytes{};
  if (rfbReadExact(client, reinterpret_cast<char*>(bytes.data()), 1) <= 0) return FALSE;
  if (bytes[0] != kExtendedKeyEvent) return FALSE;  // its length is not known: the library lets the client go
  if (rfbReadExact(client, reinterpret_cast<char*>(bytes.data()) + 1, bytes.size() - 1) <= 0) return FALSE;
  const u32 code = number_at(bytes, 7, 4);
  constexpr u32 kPrefixed = 0x80, kMostCodes = 0xFF;
  VncKey key{.symbol = number_at(bytes, 3, 4), .down = number_at(bytes, 1, 2) != 0};
  if (code <= kMostCodes) key.set1 = static_cast<u16>((code & kPrefixed) != 0 ? 0xE000 | (code & ~kPrefixed) : code);
  record_of(client).host->key(key);
  return TRUE;
}

void forget(rfbClientPtr, void*) {}

int g_encodings[] = {kPointerType, kExtendedKeys, kLights, 0};
rfbProtocolExtension g_extension{.newClient = nullptr,
                                 .init = nullptr,
                                 .pseudoEncodings = g_encodings,
                                 .enablePseudoEncoding = enable,
                                 .handleMessage = handle,
                                 .close = forget,
                                 .usage = nullptr,
                                 .processArgument = nullptr,
                                 .next = nullptr};

// An update of one rectangle, which says something else than pixels.
bool send_rectangle(rfbClientPtr client, int encoding, u16 x, std::span<const u8> payload) {
  std::array<u8, 16 + 1> bytes{};
  bytes[0] = rfbFramebufferUpdate;
  bytes[3] = 1;  // rectangles
  bytes[4] = static_cast<u8>(x >> 8);
  bytes[5] = static_cast<u8>(x);
  const u16 width = static_cast<u16>(client->screen->width), height = static_cast<u16>(client->screen->height);
  bytes[8] = static_cast<u8>(width >> 8);
  bytes[9] = static_cast<u8>(width);
  bytes[10] = static_cast<u8>(height >> 8);
  bytes[11] = static_cast<u8>(height);
  for (unsigned i = 0; i < 4; i++) bytes[12 + i] = static_cast<u8>(static_cast<u32>(encoding) >> (24 - 8 * i));
  std::size_t size = 16;
  for (const u8 byte : payload) bytes[size++] = byte;
  return rfbWriteExact(client, reinterpret_cast<const char*>(bytes.data()), static_cast<int>(size)) > 0;
}

}  // namespace

void register_qemu_messages() { rfbRegisterProtocolExtension(&g_extension); }
void release_qemu_messages(rfbClientPtr client) { rfbDisableExtension(client, &g_extension); }

bool send_qemu_news(rfbClientPtr client, QemuFeatures& features, const VncState& state) {
  if (features.extended_keys && !features.answered_keys) {
    features.answered_keys = true;
    if (!send_rectangle(client, kExtendedKeys, 0, {})) return false;
  }
  if (features.pointer_type && features.told_absolute != state.absolute_pointer) {
    features.told_absolute = state.absolute_pointer;
    if (!send_rectangle(client, kPointerType, state.absolute_pointer ? 1 : 0, {})) return false;
  }
  if (features.lights && features.told_lights != state.lights) {
    features.told_lights = state.lights;
    const std::array<u8, 1> lights{state.lights};
    if (!send_rectangle(client, kLights, 0, lights)) return false;
  }
  return true;
}

}  // namespace relic86
