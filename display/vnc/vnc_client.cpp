#include "display/vnc/vnc_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "display/vnc/shared_flag.h"

namespace relic86 {

namespace {

constexpr int kBitsPerSample = 8, kSamples = 3, kBytesPerPixel = 4;
constexpr int kFirstWidth = 640, kFirstHeight = 480;  // where the machine has no picture
// The smallest part of a picture that is compared and sent.
constexpr unsigned kTileWidth = 64, kTileHeight = 16;
constexpr int kPatienceForHttp = 10'000, kStep = 100;  // ms

// Copied for each client: rfbGetScreen() sets up a mutex of the whole library anew, which others may hold.
const rfbScreenInfo* g_prototype = nullptr;

void log_nothing(const char*, ...) {}

// A screen of the picture's size; rfbScreenCleanup() frees it.
rfbScreenInfoPtr make_screen(int width, int height) {
  auto* const screen = static_cast<rfbScreenInfoPtr>(std::malloc(sizeof(rfbScreenInfo)));
  if (screen == nullptr) return nullptr;
  std::memcpy(screen, g_prototype, sizeof *screen);
  pthread_mutex_init(&screen->cursorMutex, nullptr);
  screen->cursor = nullptr;  // the library draws it into the picture for clients that draw none
  screen->width = width;
  screen->height = height;
  screen->paddedWidthInBytes = width * kBytesPerPixel;
  return screen;
}

// As Frame has them: 00RRGGBBh.
void set_pixel_format(rfbPixelFormat& format) {
  format.redShift = 16;
  format.greenShift = 8;
  format.blueShift = 0;
}

VncClientHost& host_of(rfbClientPtr client) { return *record_of(client).host; }

void on_key(rfbBool down, rfbKeySym symbol, rfbClientPtr client) {
  host_of(client).key({.symbol = symbol, .down = down != 0});
}

void on_pointer(int buttons, int x, int y, rfbClientPtr client) {
  const QemuFeatures& features = record_of(client).features;
  host_of(client).point({.buttons = static_cast<u8>(buttons),
                         .x = static_cast<u16>(x),
                         .y = static_cast<u16>(y),
                         .width = static_cast<u16>(client->screen->width),
                         .height = static_cast<u16>(client->screen->height),
                         .relative = features.pointer_type && features.told_absolute == false});
}

void on_utf8_text(char* text, int length, rfbClientPtr client) {
  host_of(client).set_clipboard(std::string(text, static_cast<std::size_t>(length)));
}

// ISO 8859-1
void on_latin1_text(char* text, int length, rfbClientPtr client) {
  std::string utf8;
  for (const char c : std::string_view(text, static_cast<std::size_t>(length))) {
    const auto byte = static_cast<u8>(c);
    if (byte < 0x80) {
      utf8 += c;
    } else {
      utf8 += static_cast<char>(0xC0 | byte >> 6);
      utf8 += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  host_of(client).set_clipboard(std::move(utf8));
}

rfbBool on_power(rfbClientPtr client, u8, u8 code) {
  switch (code) {
    case rfbXvp_Shutdown: host_of(client).power(VncPower::PowerButton); return TRUE;
    case rfbXvp_Reboot:
    case rfbXvp_Reset: host_of(client).power(VncPower::Reset); return TRUE;
    default: return FALSE;
  }
}

rfbBool check_password(rfbClientPtr client, const char* response, int length) {
  auto password = host_of(client).password();
  if (!password || password->empty() || length != CHALLENGESIZE) return FALSE;
  std::array<unsigned char, CHALLENGESIZE> expected{};
  std::memcpy(expected.data(), client->authChallenge, expected.size());
  rfbEncryptBytes(expected.data(), password->data());
  unsigned differing = 0;
  for (std::size_t i = 0; i < expected.size(); i++) differing |= expected[i] ^ static_cast<u8>(response[i]);
  return differing == 0 ? TRUE : FALSE;
}

void on_update_request(rfbClientPtr client, rfbFramebufferUpdateRequestMsg* request) {
  record_of(client).requested = true;
  if (request->incremental == 0) host_of(client).refresh();
}

void on_gone(rfbClientPtr client) {
  release_qemu_messages(client);
  record_of(client).gone = true;
}

// A guest with an absolute pointer draws it where the client's is, which is hidden therefore; where the pointer is
// relative the client's shows where it is itself. Clients that draw no cursors get none drawn into the picture.
rfbCursorPtr choose_cursor(rfbClientPtr client) {
  const VncClientRecord& record = record_of(client);
  return client->enableCursorShapeUpdates && !record.absolute_pointer ? record.cursor : nullptr;
}

rfbCursorPtr make_dot() {
  char picture[] =
      "     "
      " xxx "
      " xxx "
      " xxx "
      "     ";
  char mask[] =
      "xxxxx"
      "xxxxx"
      "xxxxx"
      "xxxxx"
      "xxxxx";
  rfbCursorPtr cursor = rfbMakeXCursor(5, 5, picture, mask);
  if (cursor == nullptr) return nullptr;
  cursor->xhot = cursor->yhot = 2;
  cursor->foreRed = cursor->foreGreen = cursor->foreBlue = 0;
  cursor->backRed = cursor->backGreen = cursor->backBlue = 0xFFFF;
  return cursor;
}

// The library keeps the security types that it offers in a list for all clients, which it only reads once each type is
// in it: a first handshake puts it there before there are threads.
void offer_security_type(bool password) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return;
  rfbScreenInfoPtr screen = make_screen(kFirstWidth, kFirstHeight);
  static char needed;
  screen->authPasswdData = password ? &needed : nullptr;
  constexpr std::string_view kVersion = "RFB 003.008\n";
  if (::write(ends[1], kVersion.data(), kVersion.size()) == static_cast<ssize_t>(kVersion.size()) &&
      rfbNewClient(screen, ends[0]) != nullptr)
    rfbProcessEvents(screen, 0);
  ::close(ends[1]);
  rfbScreenCleanup(screen);
}

}  // namespace

void VncClient::prepare(bool password) {
  if (g_prototype != nullptr) return;
  rfbLog = rfbErr = log_nothing;
  register_qemu_messages();
  g_prototype = rfbGetScreen(nullptr, nullptr, kFirstWidth, kFirstHeight, kBitsPerSample, kSamples, kBytesPerPixel);
  std::array<unsigned char, CHALLENGESIZE> nothing{};
  char word[] = "word";
  rfbEncryptBytes(nothing.data(), word);  // the cipher's library sets itself up
  offer_security_type(password);
}

VncClient::~VncClient() {
  if (screen_ != nullptr) rfbScreenCleanup(screen_);
  if (cursor_ != nullptr) rfbFreeCursor(cursor_);
  if (options_.socket >= 0) ::close(options_.socket);
}

// The library would take TLS as well, for which it has no certificate: what comes must be a request.
bool VncClient::speaks_http() {
  constexpr std::string_view kGet = "GET ";
  for (int waited = 0; waited < kPatienceForHttp && !host().leaving(); waited += kStep) {
    std::array<pollfd, 2> fds{{{options_.socket, POLLIN, 0}, {host().news_descriptor(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), kStep) < 0 && errno != EINTR) return false;
    if (fds[1].revents != 0) host().take_news();
    if (fds[0].revents == 0) continue;
    std::array<char, kGet.size()> bytes{};
    const ssize_t count = ::recv(options_.socket, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count <= 0 || !kGet.starts_with(std::string_view(bytes.data(), static_cast<std::size_t>(count)))) return false;
    if (static_cast<std::size_t>(count) == kGet.size()) return true;
    ::usleep(1000 * kStep);  // the rest is on its way, and poll() does not wait for it
  }
  return false;
}

void VncClient::connect_callbacks() {
  static char needed;
  screen_->authPasswdData = options_.password ? &needed : nullptr;
  screen_->passwordCheck = check_password;
  screen_->desktopName = options_.name;
  screen_->alwaysShared = TRUE;  // whom it disconnects is not the library's to say
  screen_->deferUpdateTime = 0;
  screen_->deferPtrUpdateTime = 0;
  screen_->kbdAddEvent = on_key;
  screen_->ptrAddEvent = on_pointer;
  screen_->setXCutText = on_latin1_text;
  screen_->setXCutTextUTF8 = on_utf8_text;
  screen_->getCursorPtr = choose_cursor;
  screen_->permitFileTransfer = FALSE;
  if (options_.power_control) screen_->xvpHook = on_power;
}

// On a plain connection the library looks for a moment whether a browser speaks (RFC 6455), which would let any page
// of the web in: it meets a stand-in that speaks RFB, in whose place the connection comes then.
rfbClientPtr VncClient::greet(int socket) {
  if (options_.web_socket) return rfbNewClient(screen_, socket);
  int ends[2];
  constexpr std::string_view kRfb = "RFB ";
  std::array<char, sz_rfbProtocolVersionMsg> version{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    ::close(socket);
    return nullptr;
  }
  rfbClientPtr client = nullptr;
  if (ends[0] < FD_SETSIZE && ::write(ends[1], kRfb.data(), kRfb.size()) == static_cast<ssize_t>(kRfb.size()))
    client = rfbNewClient(screen_, ends[0]);
  else
    ::close(ends[0]);
  if (client != nullptr && (::read(ends[1], version.data(), version.size()) != static_cast<ssize_t>(version.size()) ||
                            ::dup3(socket, ends[0], O_CLOEXEC) < 0 || !rfbSetNonBlocking(ends[0]) ||
                            rfbWriteExact(client, version.data(), static_cast<int>(version.size())) <= 0))
    rfbCloseClient(client);
  ::close(ends[1]);
  ::close(socket);
  return client;
}

bool VncClient::open() {
  if (options_.socket >= FD_SETSIZE) return false;
  if (options_.web_socket && !speaks_http()) return false;
  const FrameExchange::Taken taken = host().take_frame();
  int width = kFirstWidth, height = kFirstHeight;
  if (taken.frame != nullptr && !taken.frame->pixels.empty()) {
    pixels_ = taken.frame->pixels;
    width = static_cast<int>(taken.frame->width);
    height = static_cast<int>(taken.frame->height);
  }
  pixels_.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  screen_ = make_screen(width, height);
  cursor_ = make_dot();
  if (screen_ == nullptr || cursor_ == nullptr) return false;
  record_.cursor = cursor_;
  set_pixel_format(screen_->serverFormat);
  screen_->frameBuffer = reinterpret_cast<char*>(pixels_.data());
  connect_callbacks();
  client_ = greet(std::exchange(options_.socket, -1));
  if (client_ == nullptr) return false;
  client_->clientData = &record_;
  client_->clientGoneHook = on_gone;
  client_->clientFramebufferUpdateRequestHook = on_update_request;
  client_->reverseConnection = options_.reverse ? TRUE : FALSE;
  return true;
}

bool VncClient::well() const { return !record_.gone && client_->sock != RFB_INVALID_SOCKET; }

// False: it may not come in.
bool VncClient::enter() {
  if (entered_) return true;
  if (client_->state == rfbClientRec::RFB_INITIALISATION) {
    const auto shared = peek_shared_flag(client_->sock, options_.web_socket);
    if (!shared) return true;  // not said yet
    entered_ = true;
    return host().enter(*shared);
  }
  if (client_->state != rfbClientRec::RFB_NORMAL) return true;
  entered_ = true;
  return host().enter(true);  // some clients skip the message
}

void VncClient::serve() {
  if (!open()) return;
  while (well() && !host().leaving()) {
    if (!enter()) return;
    std::array<pollfd, 2> fds{{{client_->sock, POLLIN, 0}, {host().news_descriptor(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) {
      host().take_news();
      take_state();
      // Until the first request the picture has the size that the client was told of.
      if (record_.requested) take_frame();
    }
    if (!enter()) return;
    const bool first = !record_.requested;
    rfbProcessEvents(screen_, 0);
    if (!well() || !enter()) return;
    if (first && record_.requested) take_frame();
    // A picture scaled by the server is not brought along to another mode; clients can scale themselves.
    if (client_->scaledScreen != screen_) return;
    if (client_->state == rfbClientRec::RFB_NORMAL && !send_qemu_news(client_, record_.features, state_)) return;
  }
}

void VncClient::take_state() {
  state_ = host().state();
  if (record_.absolute_pointer == state_.absolute_pointer) return;
  record_.absolute_pointer = state_.absolute_pointer;
  client_->cursorWasChanged = TRUE;
}

void VncClient::take_frame() {
  const FrameExchange::Taken taken = host().take_frame();
  if (taken.frame == nullptr || taken.frame->pixels.empty()) return;
  const Frame& frame = *taken.frame;
  if (static_cast<int>(frame.width) != screen_->width || static_cast<int>(frame.height) != screen_->height)
    resize(frame);
  else
    copy(frame, taken.rows);
}

void VncClient::resize(const Frame& frame) {
  std::vector<u32> before = std::move(pixels_);  // the library looks at them until it has the new ones
  pixels_ = frame.pixels;
  rfbNewFramebuffer(screen_, reinterpret_cast<char*>(pixels_.data()), static_cast<int>(frame.width),
                    static_cast<int>(frame.height), kBitsPerSample, kSamples, kBytesPerPixel);
  set_pixel_format(screen_->serverFormat);
  screen_->setTranslateFunction(client_);
}

// Rows are what changed since the frame before; only what differs from what the client has is sent.
void VncClient::copy(const Frame& frame, RowRange rows) {
  for (unsigned top = rows.first; top < rows.end; top += kTileHeight) {
    const unsigned bottom = std::min(top + kTileHeight, rows.end);
    for (unsigned left = 0; left < frame.width; left += kTileWidth) {
      const unsigned right = std::min(left + kTileWidth, frame.width);
      bool differs = false;
      for (unsigned y = top; y < bottom; y++) {
        const u64 at = u64{y} * frame.width + left;
        const std::size_t size = (right - left) * sizeof(u32);
        if (std::memcmp(&pixels_[at], &frame.pixels[at], size) == 0) continue;
        std::memcpy(&pixels_[at], &frame.pixels[at], size);
        differs = true;
      }
      if (differs)
        rfbMarkRectAsModified(screen_, static_cast<int>(left), static_cast<int>(top), static_cast<int>(right),
                              static_cast<int>(bottom));
    }
  }
}

}  // namespace relic86

extern "C" __attribute__((visibility("default"))) void relic86_prepare_vnc(bool password) {
  relic86::VncClient::prepare(password);
}

extern "C" __attribute__((visibility("default"))) void relic86_serve_vnc(relic86::VncClientHost& host,
                                                                         const relic86::VncClientOptions& options) {
  relic86::VncClient(host, options).serve();
}
