#include "devices/board/usb_board.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/assert.h"
#include "devices/input/keyboard.h"
#include "devices/input/pointer.h"
#include "devices/pci_device.h"
#include "devices/usb/usb_hub.h"
#include "devices/usb/usb_keyboard.h"
#include "devices/usb/usb_mouse.h"
#include "devices/usb/usb_storage.h"
#include "devices/usb/usb_tablet.h"

namespace relic86 {

namespace {

using Kind = UsbDeviceConfig::Kind;

constexpr std::size_t kDeepest = 6;  // five hubs one in the other, and a device (USB 2.0, 4.1.1)

std::string text_of(std::span<const unsigned> path) { return fmt::format("{}", fmt::join(path, ".")); }

std::unique_ptr<UsbDevice> make_device(UsbDeviceConfig& config) {
  std::unique_ptr<UsbDevice> device;
  switch (config.kind) {
    case Kind::Tablet: device = std::make_unique<UsbTablet>(); break;
    case Kind::Mouse: device = std::make_unique<UsbMouse>(); break;
    case Kind::Keyboard: device = std::make_unique<UsbKeyboard>(); break;
    case Kind::Hub: device = std::make_unique<UsbHub>(); break;
    case Kind::Storage:
      return std::make_unique<UsbStorage>(std::move(config.image),
                                          ScsiDiskOptions{.removable = config.removable, .serial = config.serial});
  }
  device->set_serial_number(config.serial);
  return device;
}

}  // namespace

std::string_view usb_device_name(UsbDeviceConfig::Kind kind) {
  switch (kind) {
    case Kind::Tablet: return "usb-tablet";
    case Kind::Mouse: return "usb-mouse";
    case Kind::Keyboard: return "usb-kbd";
    case Kind::Hub: return "usb-hub";
    case Kind::Storage: return "usb-storage";
  }
  return {};
}

// The ports of all controllers as one row.
class UsbBoard::RootPorts final : public UsbPorts {
 public:
  explicit RootPorts(std::vector<UsbController> controllers) : controllers_(std::move(controllers)) {}

  struct Place {
    const UsbController* controller = nullptr;
    unsigned port = 0;  // of the controller's
  };
  Place place_of(unsigned port) const {
    for (const UsbController& each : controllers_) {
      if (port < each.ports->port_count()) return {&each, port};
      port -= each.ports->port_count();
    }
    RELIC86_ASSERT(false);
    return {};
  }

  unsigned port_count() const override {
    unsigned count = 0;
    for (const UsbController& each : controllers_) count += each.ports->port_count();
    return count;
  }
  UsbDevice* device_at(unsigned port) const override {
    const Place place = place_of(port);
    return place.controller->ports->device_at(place.port);
  }
  void plug(unsigned port, std::unique_ptr<UsbDevice> device) override {
    const Place place = place_of(port);
    place.controller->ports->plug(place.port, std::move(device));
  }
  void unplug(unsigned port) override {
    const Place place = place_of(port);
    place.controller->ports->unplug(place.port);
  }

 private:
  std::vector<UsbController> controllers_;
};

UsbBoard::UsbBoard(std::vector<UsbController> controllers, Keyboard& keyboard, Pointer& pointer)
    : root_(std::make_unique<RootPorts>(std::move(controllers))), keyboard_(keyboard), pointer_(pointer) {}

UsbBoard::~UsbBoard() = default;

const UsbBoard::Entry* UsbBoard::at(std::span<const unsigned> path) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return std::equal(entry.path.begin(), entry.path.end(), path.begin(), path.end());
  });
  return found == entries_.end() ? nullptr : &*found;
}

UsbPorts* UsbBoard::ports_of(std::span<const unsigned> path) const {
  if (path.size() == 1) return root_.get();
  const Entry* const hub = at(path.first(path.size() - 1));
  return hub == nullptr ? nullptr : hub->device->ports();
}

// The controller's first, then those of the hubs in their order.
std::vector<UsbBoard::Path> UsbBoard::free_ports() const {
  std::vector<Path> free;
  const auto add = [&](const Path& parent, UsbPorts& ports) {
    for (unsigned port = 0; port < ports.port_count(); port++) {
      if (ports.device_at(port) != nullptr) continue;
      free.push_back(parent);
      free.back().push_back(port + 1);
    }
  };
  add({}, *root_);
  for (const Entry& entry : entries_) {
    if (entry.path.size() < kDeepest && entry.device->ports() != nullptr) add(entry.path, *entry.device->ports());
  }
  return free;
}

Result<UsbBoard::Path> UsbBoard::named_port(const std::string& port) const {
  Path path;
  const char *at = port.data(), *const end = port.data() + port.size();
  while (true) {
    unsigned number = 0;
    const auto [next, failure] = std::from_chars(at, end, number);
    const bool sound = failure == std::errc{} && number != 0 && (next == end || *next == '.');
    if (!sound || path.size() == kDeepest)
      return Error{fmt::format("port={}: not a port; write 1, or 1.2 for port 2 of the hub at port 1, up to {} numbers",
                               port, kDeepest)};
    path.push_back(number);
    if (next == end) break;
    at = next + 1;
  }
  const UsbPorts* const ports = ports_of(path);
  if (ports == nullptr)
    return Error{fmt::format("port={}: there is no hub at port {}; -device usb-hub,port={} before it makes one", port,
                             text_of(std::span(path).first(path.size() - 1)),
                             text_of(std::span(path).first(path.size() - 1)))};
  if (path.back() > ports->port_count())
    return Error{fmt::format("port={}: ports 1 to {} exist there", port, ports->port_count())};
  if (ports->device_at(path.back() - 1) != nullptr)
    return Error{fmt::format("port={}: there is a device already; give it another port", port)};
  return path;
}

Result<UsbBoard::Path> UsbBoard::next_port(Kind kind) {
  std::vector<Path> free = free_ports();
  if (free.empty()) return Error{"all USB ports are taken; leave a device out, or add -device usb-hub before the last"};
  if (free.size() > 1 || kind == Kind::Hub || free.front().size() == kDeepest) return free.front();
  UsbDeviceConfig hub;
  hub.kind = Kind::Hub;
  put(free.front(), std::move(hub));
  free.front().push_back(1);
  return free.front();
}

Result<> UsbBoard::plug(UsbDeviceConfig config) {
  for (const Entry& entry : entries_) {
    if (!config.id.empty() && entry.id == config.id)
      return Error{fmt::format("id={}: another USB device has this id; give each its own", config.id)};
    if (!config.drive.empty() && entry.drive == config.drive)
      return Error{"its drive is another device's already; give each its own"};
  }
  const auto path = config.port.empty() ? next_port(config.kind) : named_port(config.port);
  if (!path) return path.error();
  put(path.value(), std::move(config));
  return {};
}

void UsbBoard::put(const Path& path, UsbDeviceConfig config) {
  std::unique_ptr<UsbDevice> device = make_device(config);
  entries_.push_back({path, config.kind, config.id, config.drive, device.get()});
  ports_of(path)->plug(path.back() - 1, std::move(device));
  lead_input();
}

std::vector<std::string> UsbBoard::unplug(const std::string& id) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.id == id; });
  if (id.empty() || found == entries_.end()) return {};
  const Path path = found->path;
  UsbPorts& ports = *ports_of(path);
  std::vector<std::string> gone;
  std::erase_if(entries_, [&](const Entry& entry) {
    const bool goes = entry.path.size() >= path.size() && std::equal(path.begin(), path.end(), entry.path.begin());
    if (goes) gone.push_back(entry.id);
    return goes;
  });
  lead_input();  // before the devices are gone
  ports.unplug(path.back() - 1);
  return gone;
}

// The first of each kind gets what the host's user does.
void UsbBoard::lead_input() {
  const auto first = [&](Kind kind) -> UsbDevice* {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.kind == kind; });
    return found == entries_.end() ? nullptr : found->device;
  };
  pointer_.set_tablet(static_cast<UsbTablet*>(first(Kind::Tablet)));
  pointer_.set_usb_mouse(static_cast<UsbMouse*>(first(Kind::Mouse)));
  keyboard_.set_usb(static_cast<UsbKeyboard*>(first(Kind::Keyboard)));
}

Result<> UsbBoard::flush() {
  for (const Entry& entry : entries_) {
    if (entry.kind != Kind::Storage) continue;
    if (auto flushed = static_cast<UsbStorage*>(entry.device)->image().flush(); !flushed) return flushed;
  }
  return {};
}

std::string UsbBoard::describe() const {
  std::string text;
  for (const Entry& entry : entries_)
    text += fmt::format("  Device 0.{}, Port {}, Speed 12 Mb/s, Product {}{}{}\n", entry.device->address(),
                        text_of(entry.path), entry.device->product(), entry.id.empty() ? "" : ", ID: ", entry.id);
  return text;
}

std::string UsbBoard::layout() const {
  std::vector<std::string> places;
  for (const Entry& entry : entries_)
    places.push_back(fmt::format("{}:{}", text_of(entry.path), usb_device_name(entry.kind)));
  std::sort(places.begin(), places.end());
  return fmt::format("{}", fmt::join(places, " "));
}

std::string UsbBoard::boot_path(const std::string& drive) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.drive == drive; });
  if (found == entries_.end()) return {};
  const RootPorts::Place root = root_->place_of(found->path.front() - 1);
  std::string path = root.controller->path;
  for (std::size_t i = 0; i < found->path.size(); i++)
    path += fmt::format("/{}@{:x}", i + 1 < found->path.size() ? "hub" : "storage",
                        i == 0 ? root.port + 1 : found->path[i]);
  return path + "/channel@0/disk@0,0";
}

}  // namespace relic86
