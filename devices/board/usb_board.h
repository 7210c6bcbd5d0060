// What hangs on the board's USB: devices come by the path of their port and go by their name, also while the guest
// runs.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "devices/board/board_config.h"

namespace relic86 {

class Keyboard;
class PciDevice;
class Pointer;
class UsbDevice;
class UsbPorts;

// A controller, and the ports that are its own.
struct UsbController {
  PciDevice* function = nullptr;
  UsbPorts* ports = nullptr;
  std::string path;  // as firmware writes it
};

class UsbBoard {
 public:
  // All must outlive it. The ports of the controllers are numbered in their order. The host's keys and pointer go to
  // what is plugged in.
  UsbBoard(std::vector<UsbController> controllers, Keyboard& keyboard, Pointer& pointer);
  ~UsbBoard();

  // Without a port: the next one that is free. As in QEMU a hub goes into the last one that is free, and the device
  // into the hub. Errors give cause and mend; the caller names the option.
  Result<> plug(UsbDeviceConfig config);
  // With all that hangs on it. The names of those that are gone, which may be empty; none: there is no such device.
  std::vector<std::string> unplug(const std::string& id);
  Result<> flush();

  // "Device 0.ADDRESS, Port PATH, ..", a line each (info usb).
  std::string describe() const;
  // "1:usb-tablet 2:usb-hub": what must be the same in a machine that loads the state.
  std::string layout() const;
  // The disk at a port for the firmware, beginning with the controller's: "/pci@i0cf8/usb@1,2/storage@1/..".
  std::string boot_path(const std::string& drive) const;

 private:
  using Path = std::vector<unsigned>;  // port numbers from 1 on, the controller's first
  struct Entry {
    Path path;
    UsbDeviceConfig::Kind kind;
    std::string id;     // may be empty
    std::string drive;  // of a disk: the machine's name for it
    UsbDevice* device;
  };

  const Entry* at(std::span<const unsigned> path) const;
  // What the last port of a path belongs to; null: there is no such hub.
  UsbPorts* ports_of(std::span<const unsigned> path) const;
  std::vector<Path> free_ports() const;
  Result<Path> named_port(const std::string& port) const;
  Result<Path> next_port(UsbDeviceConfig::Kind kind);
  void put(const Path& path, UsbDeviceConfig config);
  void lead_input();

  class RootPorts;
  std::unique_ptr<RootPorts> root_;
  Keyboard& keyboard_;
  Pointer& pointer_;
  std::vector<Entry> entries_;  // as they were plugged in; a hub before what hangs on it
};

}  // namespace relic86
