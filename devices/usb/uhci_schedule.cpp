// A frame of the schedule (UHCI 1.1, chapter 3).
//
//   frame list       1024 links of 4 bytes: 31:4 address, 1 queue head, 0 end
//   queue head       +0 link to the next one, +4 link to the first descriptor of the queue
//   descriptor       +0 link (2: this queue goes on at once), +4 control and status, +8 token: 31:21 bytes less one, 19
//                    data toggle, 18:15 endpoint, 14:8 address, 7:0 PID, +12 buffer
//   control          29 short packet ends the queue, 28:27 errors left, 26 low speed, 25 isochronous, 24 interrupt, 23
//                    active, 22 stalled, 20 babble, 19 NAK, 18 timeout, 10:0 bytes less one
//
// Lists are the guest's and may be anything, rings included: drivers make the queues of bulk and control transfers a
// ring, and the frame's end stops the controller. So it does here: a packet takes its bytes' time and an overhead, a
// structure the time in which it is fetched. A ring in which nothing moves is left at once.
#include <algorithm>
#include <array>

#include "devices/usb/piix3_uhci.h"
#include "devices/usb/uhci_registers.h"

namespace relic86 {

using namespace uhci;

namespace {

constexpr i32 kFrameTime = 1500;  // byte times at 12 Mb/s
constexpr i32 kFetchTime = 4;
constexpr i32 kPacketOverhead = 13;  // token, handshake, gaps (USB 1.1, table 5-7)
constexpr i32 kLowSpeedFactor = 8;
constexpr std::size_t kMostPacket = 1280;
constexpr u32 kNoBytes = 0x7FF;

std::size_t bytes_of(u32 token) { return ((token >> 21) + 1) & kActualBits; }

// The queue heads that a frame has met since something last moved.
class Met {
 public:
  void forget() { count_ = 0; }
  // True: it has been there.
  bool again(u32 address) {
    const auto end = known_.begin() + static_cast<std::ptrdiff_t>(count_);
    if (std::find(known_.begin(), end, address) != end) return true;
    if (count_ < known_.size()) known_[count_++] = address;
    return false;
  }

 private:
  std::array<u32, 64> known_{};
  std::size_t count_ = 0;
};

}  // namespace

template <std::size_t count>
std::array<u32, count> Piix3Uhci::fetch(u32 address) {
  std::array<u8, count * 4> bytes{};
  memory_->read_block(PhysAddr(address), bytes);
  std::array<u32, count> words{};
  for (std::size_t i = 0; i < bytes.size(); i++) words[i / 4] |= u32{bytes[i]} << (i % 4 * 8);
  return words;
}

void Piix3Uhci::store(u32 address, u32 value) {
  const std::array<u8, 4> bytes{static_cast<u8>(value), static_cast<u8>(value >> 8), static_cast<u8>(value >> 16),
                                static_cast<u8>(value >> 24)};
  memory_->write_block(PhysAddr(address), bytes);
}

void Piix3Uhci::run_frame() {
  if (!bus_master_enabled()) return;
  struct Queue {
    u32 at, next;
  };
  std::optional<Queue> queue;
  Met met;
  i32 time_left = kFrameTime;
  u32 link = fetch<1>(list_ + (frame_ & kFrameListBits) * 4u)[0];
  while ((link & kTerminate) == 0 && time_left > 0) {
    time_left -= kFetchTime;
    const u32 at = link & kLinkAddress;
    if ((link & kQueueHead) != 0) {
      if (met.again(at)) return;
      const auto [next, element] = fetch<2>(at);
      const bool empty = (element & kTerminate) != 0;
      queue = empty ? std::nullopt : std::optional(Queue{at, next});
      link = empty ? next : element;
      continue;
    }
    const auto words = fetch<4>(at);
    Descriptor descriptor{at, words[0], words[1], words[2], words[3]};
    const Outcome outcome = run_descriptor(descriptor, time_left);
    if (descriptor.control != words[1]) store(at + 4, descriptor.control);
    if (outcome == Outcome::FrameOver) return;
    if (outcome != Outcome::Passed) met.forget();
    if (!queue) {
      link = descriptor.link;
      continue;
    }
    if (outcome == Outcome::Done) store(queue->at + 4, descriptor.link);
    const bool goes_on = outcome == Outcome::Done && (descriptor.link & (kDepthFirst | kTerminate)) == kDepthFirst;
    link = goes_on ? descriptor.link : queue->next;
    if (!goes_on) queue.reset();
  }
}

Piix3Uhci::Outcome Piix3Uhci::run_descriptor(Descriptor& descriptor, i32& time_left) {
  if ((descriptor.control & kActive) == 0) return Outcome::Passed;
  const auto token = static_cast<UsbToken>(descriptor.token & 0xFF);
  const std::size_t size = bytes_of(descriptor.token);
  const bool known = token == UsbToken::Out || token == UsbToken::In || token == UsbToken::Setup;
  if (!known || size > kMostPacket) {
    // The controller cannot carry this out, and stops (2.1.2, host controller process error).
    status_ |= kProcessError;
    command_ &= static_cast<u16>(~kRun);
    start_or_stop();
    return Outcome::FrameOver;
  }
  const i32 packet = static_cast<i32>(size) + kPacketOverhead;
  const i32 time = (descriptor.control & kLowSpeed) != 0 ? packet * kLowSpeedFactor : packet;
  if (time > time_left) return Outcome::FrameOver;
  time_left -= time;
  return finish(descriptor, transact(descriptor, token, size), size);
}

UsbAnswer Piix3Uhci::transact(const Descriptor& descriptor, UsbToken token, std::size_t size) {
  UsbDevice* const device = addressed(static_cast<u8>(descriptor.token >> 8 & 0x7F));
  if (device == nullptr) return {};
  std::array<u8, kMostPacket> packet;
  const std::span<u8> bytes(packet.data(), size);
  if (token != UsbToken::In) memory_->read_block(PhysAddr(descriptor.buffer), bytes);
  const UsbAnswer answer = device->transact(token, static_cast<u8>(descriptor.token >> 15 & 0xF), bytes);
  if (answer.kind != UsbAnswer::Kind::Ack) return answer;
  if (token != UsbToken::In) return {UsbAnswer::Kind::Ack, size};
  memory_->write_block(PhysAddr(descriptor.buffer), bytes.first(answer.bytes));
  return answer;
}

UsbDevice* Piix3Uhci::addressed(u8 address) const {
  for (const Port& port : ports_) {
    if (!port.device || (port.status & (kEnabled | kPortSuspend)) != kEnabled) continue;
    if (UsbDevice* const found = port.device->addressed(address); found != nullptr) return found;
  }
  return nullptr;
}

Piix3Uhci::Outcome Piix3Uhci::finish(Descriptor& descriptor, const UsbAnswer& answer, std::size_t size) {
  u32& control = descriptor.control;
  if (answer.kind == UsbAnswer::Kind::None) return retry_or_fail(descriptor);
  if (answer.kind == UsbAnswer::Kind::Nak && (control & kIsochronous) == 0) {
    control |= kNak;
    return Outcome::Passed;
  }
  control &= ~(kActive | kNak | kActualBits);
  if ((control & kInterruptOnComplete) != 0) causes_ |= kOnCompletion;
  if (answer.kind == UsbAnswer::Kind::Stall) {
    control |= kStalled | kNoBytes;
    status_ |= kTransferFailed;
    if ((control & kInterruptOnComplete) != 0) status_ |= kTransferDone;
    return Outcome::Held;
  }
  control |= (static_cast<u32>(answer.bytes) - 1) & kActualBits;
  const bool is_short = answer.bytes < size && (control & kShortDetect) != 0;
  if (is_short) causes_ |= kShortPacket;
  if (is_short || (control & kInterruptOnComplete) != 0) status_ |= kTransferDone;
  return is_short ? Outcome::Held : Outcome::Done;
}

// Nobody answered. The count of errors left says how often that may be; 0: for ever.
Piix3Uhci::Outcome Piix3Uhci::retry_or_fail(Descriptor& descriptor) {
  u32& control = descriptor.control;
  control |= kTimeout;
  const u32 errors_left = control & kErrorCount;
  if ((control & kIsochronous) == 0) {
    if (errors_left == 0) return Outcome::Passed;
    control -= kOneError;
    if (errors_left != kOneError) return Outcome::Passed;
    control |= kStalled;
  }
  control = (control & ~(kActive | kActualBits)) | kNoBytes;
  status_ |= kTransferFailed;
  if ((control & kInterruptOnComplete) != 0) {
    causes_ |= kOnCompletion;
    status_ |= kTransferDone;
  }
  return (control & kIsochronous) != 0 ? Outcome::Done : Outcome::Held;
}

}  // namespace relic86
