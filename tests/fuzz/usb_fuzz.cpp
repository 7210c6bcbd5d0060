// USB devices and whatever a driver sends them: requests on the control pipe, packets to any endpoint, SCSI commands
// over the bulk-only transport. A state that can be reached this way can be saved and loaded again.
#include <array>
#include <cstdint>
#include <memory>

#include "base/state_loading.h"
#include "devices/usb/usb_hub.h"
#include "devices/usb/usb_keyboard.h"
#include "devices/usb/usb_mouse.h"
#include "devices/usb/usb_storage.h"
#include "devices/usb/usb_tablet.h"
#include "tests/block/memory_disk.h"

namespace relic86 {
namespace {

class Input {
 public:
  explicit Input(std::span<const u8> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  u8 next() {
    if (bytes_.empty()) return 0;
    const u8 byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  void fill(std::span<u8> target) {
    for (u8& byte : target) byte = next();
  }

 private:
  std::span<const u8> bytes_;
};

class Bus final : public UsbHost {
 public:
  GuestTime usb_time() const override { return time++; }
  void usb_wake(UsbDevice&) override {}
  mutable GuestTime time = 0;
};

class Run {
 public:
  Run(Input& input) : input_(input), content_(1u << 16) {
    switch (input.next() % 5) {
      case 0: make<UsbTablet>(); break;
      case 1: mouse_ = &make<UsbMouse>(); break;
      case 2: keyboard_ = &make<UsbKeyboard>(); break;
      case 3: hub_ = &make<UsbHub>(); break;
      default:
        make<UsbStorage>(std::make_unique<test::MemoryDisk>(content_),
                         ScsiDiskOptions{.removable = true, .serial = "1"});
    }
    device_->set_host(&bus_);
    device_->bus_reset();
    setup({0x00, 9, 1, 0, 0, 0, 0, 0});
    in(0, 0);
  }

  void step() {
    switch (input_.next() % 8) {
      case 0: {
        std::array<u8, 8> bytes{};
        input_.fill(bytes);
        setup(bytes);
        break;
      }
      case 1: {
        const u8 endpoint = input_.next() % 4;
        in(endpoint, input_.next());
        break;
      }
      case 2: {
        const u8 endpoint = input_.next() % 4;
        std::array<u8, 64> bytes{};
        const auto part = std::span(bytes).first(input_.next() % (bytes.size() + 1));
        input_.fill(part);
        device_->transact(UsbToken::Out, endpoint, part);
        break;
      }
      case 3: command(); break;
      case 4: device_->bus_reset(); break;
      case 5: host_event(input_.next(), input_.next()); break;
      case 6: save_and_load(); break;
      default: come_or_go(input_.next() % UsbHub::kPorts); break;
    }
  }

 private:
  template <class T, class... Args>
  T& make(Args&&... args) {
    auto made = std::make_unique<T>(std::forward<Args>(args)...);
    T& reference = *made;
    device_ = std::move(made);
    return reference;
  }
  void setup(std::array<u8, 8> bytes) { device_->transact(UsbToken::Setup, 0, bytes); }
  void in(u8 endpoint, std::size_t size) {
    std::array<u8, 256> room{};
    const auto answer = device_->transact(UsbToken::In, endpoint, std::span(room).first(size));
    if (answer.bytes > size) __builtin_trap();
  }
  // A wrapper that is one, with any command.
  void command() {
    std::array<u8, 31> wrapper{'U', 'S', 'B', 'C'};
    wrapper[8] = input_.next();
    wrapper[9] = input_.next();
    wrapper[12] = input_.next();
    wrapper[14] = static_cast<u8>(input_.next() % 16 + 1);
    input_.fill(std::span(wrapper).subspan(15, wrapper[14]));
    device_->transact(UsbToken::Out, 2, wrapper);
  }
  void host_event(u8 first, u8 second) {
    if (keyboard_ != nullptr) keyboard_->key(first, (second & 1) != 0);
    if (mouse_ == nullptr) return;
    mouse_->move(static_cast<i8>(first) * 1000, static_cast<i8>(second), 0);
    mouse_->buttons(second);
  }
  void save_and_load() {
    StateWriter saved;
    device_->state(saved);
    if (!load_state(saved.data(), [&](StateArchive& archive) { device_->state(archive); })) __builtin_trap();
  }
  void come_or_go(unsigned port) {
    if (hub_ == nullptr) return;
    if (hub_->device_at(port) != nullptr)
      hub_->unplug(port);
    else
      hub_->plug(port, std::make_unique<UsbTablet>());
  }

  Input& input_;
  test::MemoryDiskContent content_;
  Bus bus_;
  std::unique_ptr<UsbDevice> device_;
  UsbMouse* mouse_ = nullptr;
  UsbKeyboard* keyboard_ = nullptr;
  UsbHub* hub_ = nullptr;
};

}  // namespace
}  // namespace relic86

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  relic86::Input input({data, size});
  relic86::Run run(input);
  while (!input.empty()) run.step();
  return 0;
}
