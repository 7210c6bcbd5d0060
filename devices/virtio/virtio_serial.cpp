// Console (virtio 1.0, 5.3)
//
//   queues   0, 1 port 0: for the driver, from the driver    2, 3 commands, the same way    4, 5 port 1    6, 7 port 2
//   .. config   00h columns, 02h rows (0: not known)  04h most ports  08h W a character for the first console command
//   0-3 port, 4-5 event, 6-7 value; a name follows
//            0 device ready  1 there is a port  3 port ready  4 is a console  6 is open  7 has this name
//
// What comes from the host waits here, bounded, until the driver has buffers; what goes to a host that does not read
// waits in the queue.
#include "devices/virtio/virtio_serial.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/byte_order.h"
#include "devices/bus_mastering.h"

namespace relic86 {

namespace {
constexpr u16 kQueueSize = 128, kCommandQueueSize = 32;
constexpr u32 kConfigBytes = 12;
constexpr unsigned kCommandsToDriver = 2, kCommandsFromDriver = 3;
constexpr unsigned kMultiport = 1, kEmergencyWrite = 2;
constexpr unsigned kMostPortsOffset = 4, kEmergencyOffset = 8;
constexpr u32 kDeliverEvent = 1;
constexpr GuestTime kDeliverDelay = 20'000;  // ns: bytes that come one by one go on together
constexpr std::size_t kMostInput = 4096, kMostCommandBytes = 16u << 10;
constexpr u64 kBytesAtOnce = 64u << 10;
constexpr std::size_t kPiece = 4096;
constexpr unsigned kChainsAtOnce = 128;
constexpr std::size_t kCommandBytes = 8;

enum Event : u16 {
  kDeviceReady = 0,
  kPortAdded = 1,
  kPortReady = 3,
  kIsConsole = 4,
  kIsOpen = 6,
  kHasName = 7,
};

// Queues for as many ports as the driver is told of.
std::vector<u16> queue_sizes() {
  std::vector<u16> sizes(2 * (VirtioSerial::kMostPorts + 1), kQueueSize);
  sizes[kCommandsToDriver] = sizes[kCommandsFromDriver] = kCommandQueueSize;
  return sizes;
}
}  // namespace

class VirtioSerial::Port final : public CharSource {
 public:
  Port(VirtioSerial& device, const VirtioPortConfig& config) : config_(config), device_(device) {}

  bool can_receive() const override { return device_.running() && hears() && input_.size() < kMostInput; }
  void receive(u8 byte) override {
    input_.push_back(byte);
    device_.deliver_soon();
  }
  // A driver that knows one port alone never says that it is open.
  bool hears() const { return open_ || !device_.negotiated(kMultiport); }
  void reset() {
    open_ = false;
    sent_ = 0;
    input_.clear();
  }
  void state(StateArchive& archive) {
    archive.field("open", open_);
    archive.field("sent", sent_);
    archive.resizable("input", input_);
    if (archive.loading() && input_.size() > kMostInput) input_.resize(kMostInput);
  }

  const VirtioPortConfig config_;
  CharSink* sink_ = nullptr;
  bool open_ = false;      // the guest has opened it
  u64 sent_ = 0;           // bytes of the next chain that the host has already
  std::vector<u8> input_;  // for the guest

 private:
  VirtioSerial& device_;
};

VirtioSerial::VirtioSerial(std::string name, const VirtioInterfaces& interfaces,
                           const std::vector<VirtioPortConfig>& ports)
    : VirtioPci(std::move(name), {.type = 3, .transitional_device = 0x1003, .class_code = 0x078000}, interfaces,
                queue_sizes(), kConfigBytes) {
  for (const VirtioPortConfig& port : ports) {
    RELIC86_ASSERT(port.number < kMostPorts);
    ports_.push_back(std::make_unique<Port>(*this, port));
  }
}

VirtioSerial::~VirtioSerial() = default;

CharSource& VirtioSerial::source(std::size_t port) { return *ports_[port]; }

void VirtioSerial::connect(std::size_t port, CharSink* sink) { ports_[port]->sink_ = sink; }

void VirtioSerial::attach_device(Attachment& board) {
  scheduler_ = &board.scheduler();
  deliver_timer_ = board.timer(*this, "deliver", kDeliverEvent);
}

u64 VirtioSerial::device_features() const { return u64{1} << kMultiport | u64{1} << kEmergencyWrite; }

void VirtioSerial::fill_config(std::span<u8> config) const { config[kMostPortsOffset] = kMostPorts; }

void VirtioSerial::config_bytes_written(unsigned offset, std::span<const u8> bytes) {
  if (offset != kEmergencyOffset) return;
  for (const auto& port : ports_) {
    if (!port->config_.console) continue;
    if (port->sink_ != nullptr) port->sink_->put(bytes[0]);
    return;
  }
}

void VirtioSerial::reset_device() {
  for (const auto& port : ports_) port->reset();
  commands_.clear();
  scheduler_->cancel(deliver_timer_);
}

void VirtioSerial::state_device(StateArchive& archive) {
  for (const auto& port : ports_)
    archive.group("port" + std::to_string(port->config_.number), [&] { port->state(archive); });
  archive.resizable("commands", commands_);
  if (!archive.loading()) return;
  std::size_t at = 0;
  while (at + 2 + kCommandBytes <= commands_.size()) at += std::size_t{2} + load_le<u16>(commands_, at);
  if (at != commands_.size() || at > kMostCommandBytes) commands_.clear();
}

VirtioSerial::Port* VirtioSerial::find(u32 number) {
  for (const auto& port : ports_) {
    if (port->config_.number == number) return port.get();
  }
  return nullptr;
}

void VirtioSerial::serve(unsigned number) {
  if (number == kCommandsToDriver) return send_commands();
  if (number == kCommandsFromDriver) return receive_command();
  for (const auto& port : ports_) {
    if (number == receive_queue(port->config_.number)) return deliver(*port);
    if (number == transmit_queue(port->config_.number)) return transmit(*port);
  }
}

// --- From the guest to the host ---

void VirtioSerial::transmit(Port& port) {
  const unsigned number = transmit_queue(port.config_.number);
  bool served = false;
  u64 moved = 0;
  std::array<u8, kPiece> piece{};
  for (unsigned count = 0; count < kChainsAtOnce && moved < kBytesAtOnce; count++) {
    const auto chain = look(number);
    if (!chain) break;
    while (port.sent_ < chain->readable_bytes() && moved < kBytesAtOnce) {
      if (port.sink_ != nullptr && !port.sink_->can_take()) break;
      const auto part =
          std::span(piece).first(static_cast<std::size_t>(std::min<u64>(chain->readable_bytes() - port.sent_, kPiece)));
      if (!chain->read(memory(), port.sent_, part)) return fail("what a port sends has an address where nothing is");
      if (port.sink_ != nullptr) {
        for (const u8 byte : part) port.sink_->put(byte);
      }
      port.sent_ += part.size();
      moved += part.size();
    }
    if (port.sent_ < chain->readable_bytes()) break;
    if (!take(number)) return;
    port.sent_ = 0;
    served = true;
    give_back(number, *chain, 0);
  }
  if (served) interrupt(number);
  if (waiting(number) != 0) serve_later(number);
}

// --- From the host to the guest ---

void VirtioSerial::deliver_soon() {
  if (scheduler_->deadline(deliver_timer_) == Scheduler::kNever) scheduler_->schedule_in(deliver_timer_, kDeliverDelay);
}

void VirtioSerial::event(u32 id, GuestTime late) {
  if (id != kDeliverEvent) return VirtioPci::event(id, late);
  const BusMastering moving(bus_mastering());
  for (const auto& port : ports_) deliver(*port);
}

void VirtioSerial::deliver(Port& port) {
  const unsigned number = receive_queue(port.config_.number);
  bool served = false;
  while (!port.input_.empty()) {
    const auto chain = take(number);
    if (!chain) break;
    served = true;
    const auto size = static_cast<std::size_t>(std::min<u64>(port.input_.size(), chain->writable_bytes()));
    if (!chain->write(memory(), 0, std::span(port.input_).first(size)))
      return fail("a port's buffer has an address where nothing is");
    give_back(number, *chain, size);
    if (size == 0) break;  // a buffer to write with no room
    port.input_.erase(port.input_.begin(), port.input_.begin() + static_cast<std::ptrdiff_t>(size));
  }
  if (served) interrupt(number);
}

// --- Commands ---

void VirtioSerial::receive_command() {
  bool served = false;
  for (unsigned count = 0; count < kChainsAtOnce; count++) {
    const auto chain = take(kCommandsFromDriver);
    if (!chain) break;
    served = true;
    std::array<u8, kCommandBytes> command{};
    if (chain->readable_bytes() >= command.size()) {
      if (!chain->read(memory(), 0, command)) return fail("a command has an address where nothing is");
      obey(load_le<u32>(command, 0), load_le<u16>(command, 4), load_le<u16>(command, 6));
    }
    give_back(kCommandsFromDriver, *chain, 0);
  }
  if (served) interrupt(kCommandsFromDriver);
  if (waiting(kCommandsFromDriver) != 0) serve_later(kCommandsFromDriver);
  send_commands();
}

void VirtioSerial::obey(u32 number, u16 event_code, u16 value) {
  if (event_code == kDeviceReady) {
    if (value == 1) {
      for (const auto& port : ports_) tell(port->config_.number, kPortAdded, 1);
    }
    return;
  }
  Port* const port = find(number);
  if (port == nullptr) return;
  if (event_code == kPortReady && value == 1) {
    if (port->config_.console) tell(number, kIsConsole, 1);
    if (!port->config_.name.empty()) tell(number, kHasName, 1, port->config_.name);
    if (port->sink_ != nullptr) tell(number, kIsOpen, 1);
  }
  if (event_code == kIsOpen) port->open_ = value != 0;
}

void VirtioSerial::tell(u32 number, u16 event_code, u16 value, const std::string& text) {
  // A driver that asks and asks without taking answers gets no more of them.
  const std::size_t size = kCommandBytes + (text.empty() ? 0 : text.size() + 1);
  if (commands_.size() + 2 + size > kMostCommandBytes) return;
  const auto put = [this](u32 word, unsigned width) {
    for (unsigned i = 0; i < width; i++) commands_.push_back(static_cast<u8>(word >> (i * 8)));
  };
  put(static_cast<u32>(size), 2);
  put(number, 4), put(event_code, 2), put(value, 2);
  if (text.empty()) return;
  commands_.insert(commands_.end(), text.begin(), text.end());
  commands_.push_back(0);
}

void VirtioSerial::send_commands() {
  bool served = false;
  while (!commands_.empty()) {
    const auto chain = take(kCommandsToDriver);
    if (!chain) break;
    served = true;
    const std::size_t size = load_le<u16>(commands_, 0);
    const auto part =
        std::span(commands_).subspan(2, static_cast<std::size_t>(std::min<u64>(size, chain->writable_bytes())));
    if (!chain->write(memory(), 0, part)) return fail("a buffer for commands has an address where nothing is");
    give_back(kCommandsToDriver, *chain, part.size());
    commands_.erase(commands_.begin(), commands_.begin() + static_cast<std::ptrdiff_t>(2 + size));
  }
  if (served) interrupt(kCommandsToDriver);
}

}  // namespace relic86
