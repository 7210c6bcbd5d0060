// Transfer rings (xHCI 1.0, 4.9 and 4.11): blocks that are chained are one transfer, moved in packets.
#include <algorithm>
#include <array>

#include "base/byte_order.h"
#include "devices/bus_mastering.h"
#include "devices/usb/xhci.h"

namespace relic86 {

using namespace xhci;

namespace {
constexpr GuestTime kFrame = 1'000'000, kMicroFrame = 125'000;
constexpr GuestTime kByteTime = 667;         // ns, at 12 Mb/s
constexpr std::size_t kPacketOverhead = 13;  // bytes: token, handshake, gaps (USB 1.1, table 5-7)
constexpr std::size_t kMostBlocks = 4096;    // of a transfer, and links in a row: rings are the guest's
constexpr u64 kBlockMask = ~u64{0xF};
}  // namespace

bool Xhci::Block::has_data() const {
  return type() == BlockType::Normal || type() == BlockType::Data || type() == BlockType::Setup;
}

bool Xhci::Block::known() const {
  return type() >= BlockType::Normal && type() <= BlockType::NoOperation && type() != BlockType::Isochronous;
}

// The block at the ring's front, links followed; nothing: the driver has not given it yet.
std::optional<Xhci::Block> Xhci::next_block(Ring& ring) {
  for (std::size_t links = 0; links < kMostBlocks; links++) {
    std::array<u8, kBlockBytes> bytes{};
    {
      const BusMastering moving(moves_);
      memory_->read_block(PhysAddr(ring.dequeue), bytes);
    }
    const Block block{ring.dequeue, load_le<u64>(bytes, 0), load_le<u32>(bytes, 8), load_le<u32>(bytes, 12)};
    if (((block.control & kCycle) != 0) != ring.cycle) return std::nullopt;
    if (block.type() != BlockType::Link) {
      ring.dequeue += kBlockBytes;
      return block;
    }
    ring.dequeue = block.parameter & kBlockMask;
    if ((block.control & kToggleCycle) != 0) ring.cycle = !ring.cycle;
  }
  return std::nullopt;
}

std::optional<Xhci::Transfer> Xhci::next_transfer(const Endpoint& endpoint) {
  Transfer transfer{.blocks = {}, .after = endpoint.ring};
  do {
    const auto block = next_block(transfer.after);
    if (!block || transfer.blocks.size() == kMostBlocks) return std::nullopt;
    transfer.blocks.push_back(*block);
    if (block->has_data()) transfer.bytes += block->length();
  } while ((transfer.blocks.back().control & kChain) != 0);
  return transfer;
}

bool Xhci::may_run(const Endpoint& endpoint) const { return endpoint.state == kRunning && endpoint.armed; }

void Xhci::event(u32, GuestTime) {
  if (!running() || !bus_master_enabled()) return;
  run_endpoints();
  plan();
}

void Xhci::run_endpoints() {
  const GuestTime now = scheduler_->now();
  for (u32 number = 1; number <= kMostSlots; number++) {
    if (!slots_[number - 1].enabled) continue;
    for (u32 index = 1; index < kEndpoints; index++) {
      const Endpoint& endpoint = slots_[number - 1].endpoints[index];
      if (may_run(endpoint) && endpoint.next <= now) run_endpoint(number, index);
    }
  }
}

// When the next one is due. What waits for room in the event ring hears of it when the driver has made some.
void Xhci::plan() {
  GuestTime next = Scheduler::kNever;
  for (u32 i = 0; i < kMostSlots && running() && event_room() != 0; i++) {
    if (!slots_[i].enabled) continue;
    for (const Endpoint& endpoint : slots_[i].endpoints) {
      if (may_run(endpoint)) next = std::min(next, endpoint.next);
    }
  }
  if (next == Scheduler::kNever) return scheduler_->cancel(work_timer_);
  scheduler_->schedule_at(work_timer_, std::max(next, scheduler_->now()));
}

UsbDevice* Xhci::device_of(u32 number) const {
  const Slot& slot = slots_[number - 1];
  if (slot.port == 0 || slot.port > counts_.usb2) return nullptr;
  const Port& port = ports_[slot.port - 1];
  if (port.device == nullptr || (port.status & kPortEnabled) == 0) return nullptr;
  return port.device->addressed(static_cast<u8>(slot.addressed ? number : 0));
}

void Xhci::run_endpoint(u32 number, u32 index) {
  Endpoint& endpoint = slots_[number - 1].endpoints[index];
  const GuestTime now = scheduler_->now();
  const auto wait = [&](GuestTime least) {
    endpoint.next = now + std::max(least, endpoint.polls() ? kMicroFrame << endpoint.interval : GuestTime{0});
  };
  while (endpoint.state == kRunning) {
    const auto transfer = next_transfer(endpoint);
    if (!transfer) {
      endpoint.armed = false;
      return;
    }
    const auto events = static_cast<u32>(std::count_if(transfer->blocks.begin(), transfer->blocks.end(), [](auto& b) {
      return (b.control & (kInterruptOnCompletion | kInterruptOnShort)) != 0;
    }));
    if (event_room() < std::min(events + 1, event_ring_size_ / 2)) return wait(kFrame);
    if (!transfer->blocks.front().known()) return finish(number, index, *transfer, Code::BlockError);
    endpoint.moved = std::min(endpoint.moved, transfer->bytes);
    // The bus may be a frame ahead of the time, so that a packet does not wait for one of its own.
    for (bool over = false; !over;) {
      bus_busy_until_ = std::max(bus_busy_until_, now);
      if (bus_busy_until_ - now > kFrame) return wait(bus_busy_until_ - now - kFrame + kMicroFrame);
      const std::size_t size = std::min<std::size_t>(endpoint.packet, transfer->bytes - endpoint.moved);
      const UsbAnswer answer = transact(number, index, *transfer, size);
      bus_busy_until_ += static_cast<GuestTime>(size + kPacketOverhead) * kByteTime;
      switch (answer.kind) {
        case UsbAnswer::Kind::Nak: return wait(kFrame);
        case UsbAnswer::Kind::Stall: return finish(number, index, *transfer, Code::Stall);
        case UsbAnswer::Kind::None: return finish(number, index, *transfer, Code::TransactionError);
        case UsbAnswer::Kind::Ack: break;
      }
      endpoint.moved += static_cast<u32>(answer.bytes);
      over = endpoint.moved == transfer->bytes || answer.bytes < size;
    }
    finish(number, index, *transfer, Code::Success);
    if (endpoint.polls()) return wait(0);
  }
}

UsbAnswer Xhci::transact(u32 number, u32 index, const Transfer& transfer, std::size_t size) {
  const Endpoint& endpoint = slots_[number - 1].endpoints[index];
  const Block& first = transfer.blocks.front();
  if (first.type() == BlockType::NoOperation) return {UsbAnswer::Kind::Ack, size};
  UsbDevice* const device = device_of(number);
  if (device == nullptr) return {};
  const Port& port = ports_[slots_[number - 1].port - 1];
  if ((port.status & kLinkBits) != kLinkOn << kLinkAt) return {UsbAnswer::Kind::Nak};
  const bool in =
      endpoint.is_control() ? (first.control & kToHost) != 0 && first.type() != BlockType::Setup : (index & 1) != 0;
  const auto token = first.type() == BlockType::Setup ? UsbToken::Setup : in ? UsbToken::In : UsbToken::Out;
  std::array<u8, kMostPacket> packet;
  const auto bytes = std::span(packet).first(size);
  if (!in) move(transfer, endpoint.moved, bytes, false);
  UsbAnswer answer = device->transact(token, static_cast<u8>(index / 2), bytes);
  if (answer.kind != UsbAnswer::Kind::Ack) return answer;
  if (!in) return {UsbAnswer::Kind::Ack, size};
  move(transfer, endpoint.moved, bytes.first(answer.bytes), true);
  return answer;
}

// Bytes of a transfer from one of them on, wherever its blocks have them. Up to eight may be in the block itself.
void Xhci::move(const Transfer& transfer, u32 from, std::span<u8> bytes, bool to_memory) {
  const BusMastering moving(moves_);
  for (const Block& block : transfer.blocks) {
    if (bytes.empty()) return;
    const u32 length = block.has_data() ? block.length() : 0;
    if (from >= length) {
      from -= length;
      continue;
    }
    const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), length - from));
    if ((block.control & kImmediate) != 0) {
      for (std::size_t i = 0; i < piece.size() && !to_memory; i++)
        piece[i] = static_cast<u8>(from + i < 8 ? block.parameter >> ((from + i) * 8) : 0);
    } else if (to_memory) {
      memory_->write_block(PhysAddr(block.parameter + from), piece);
    } else {
      memory_->read_block(PhysAddr(block.parameter + from), piece);
    }
    bytes = bytes.subspan(piece.size());
    from = 0;
  }
}

// The driver is told at the blocks that ask for it; at the one where the transfer ended short; and where it failed, in
// any case, and the endpoint halts (4.10).
void Xhci::finish(u32 number, u32 index, const Transfer& transfer, Code code) {
  Endpoint& endpoint = slots_[number - 1].endpoints[index];
  const bool failed = code != Code::Success;
  u32 left = endpoint.moved, since_told = 0;  // bytes
  bool is_short = false, short_told = false;
  for (const Block& block : transfer.blocks) {
    const u32 length = block.has_data() ? block.length() : 0, here = std::min(left, length);
    left -= here;
    since_told += here;
    const bool fails = failed && (here < length || &block == &transfer.blocks.back());
    const bool shortens = !failed && here < length && !is_short;
    is_short = is_short || shortens;
    const bool data = block.type() == BlockType::EventData;
    const bool asked =
        (block.control & kInterruptOnCompletion) != 0 || (shortens && (block.control & kInterruptOnShort) != 0);
    // A transfer that ended short is told of once, save by event data.
    if (!fails && (!asked || (short_told && !data))) continue;
    short_told = is_short;
    const Code told = fails ? code : is_short ? Code::ShortPacket : Code::Success;
    post({data ? block.parameter : block.at, static_cast<u32>(told) << 24 | (data ? since_told : length - here),
          static_cast<u32>(BlockType::TransferEvent) << 10 | index << 16 | number << 24 | (data ? kEventData : 0)});
    if (data) since_told = 0;
    if (fails) break;
  }
  if (failed) {
    endpoint.state = kHaltedEndpoint;
    endpoint.armed = false;
    return show_endpoint(number, index);
  }
  endpoint.ring = transfer.after;
  endpoint.moved = 0;
}

}  // namespace relic86
