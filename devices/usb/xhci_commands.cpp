// The command ring, slots and their contexts (xHCI 1.0, 4.6 and chapter 6).
//
//   slot context      +0 31:27 last context, 19:0 route;  +4 23:16 root port;  +12 31:27 state, 7:0 address
//   endpoint context  +0 23:16 interval, 2:0 state;  +4 31:16 bytes of a packet, 5:3 type;  +8 ring, bit 0 its cycle
//   input context     +0 endpoints to drop, +4 to add (bit 0: the slot, 1: endpoint 1), then as a device context
#include <algorithm>
#include <array>

#include "base/byte_order.h"
#include "devices/bus_mastering.h"
#include "devices/usb/xhci.h"

namespace relic86 {

using namespace xhci;

namespace {
constexpr unsigned kMostCommands = 256;  // in a row: a ring may have no end
constexpr u32 kContextEntriesAt = 27, kRootPortAt = 16, kStateBits = 0x1Fu << kSlotStateAt;
constexpr u32 kSlotFlag = 1, kFirstEndpointFlag = 2;
constexpr u64 kAddressMask = ~u64{0x3F}, kBlockMask = ~u64{0xF};

u16 packet_of(std::span<const u32> endpoint_context) {
  return static_cast<u16>(std::clamp<u32>(endpoint_context[1] >> 16, 1, kMostPacket));
}
}  // namespace

u32 Xhci::load32(u64 at) {
  std::array<u8, 4> bytes{};
  const BusMastering moving(moves_);
  memory_->read_block(PhysAddr(at), bytes);
  return load_le<u32>(bytes, 0);
}

u64 Xhci::load64(u64 at) { return load32(at) | u64{load32(at + 4)} << 32; }

Xhci::Context Xhci::read_context(u64 at) {
  Context context{};
  for (u32 i = 0; i < context.size(); i++) context[i] = load32(at + i * 4);
  return context;
}

void Xhci::write_context(u64 at, const Context& context) {
  std::array<u8, kContextBytes> bytes{};
  for (std::size_t i = 0; i < context.size(); i++) store_le(std::span(bytes), i * 4, context[i]);
  const BusMastering moving(moves_);
  memory_->write_block(PhysAddr(at), bytes);
}

u64 Xhci::device_context(u32 number, u32 index) {
  return (load64(context_array_ + u64{number} * 8) & kAddressMask) + u64{index} * kContextBytes;
}

// --- The ring ---

void Xhci::run_commands() {
  for (unsigned i = 0; i < kMostCommands && bus_master_enabled() && event_room() != 0; i++) {
    const auto block = next_block(commands_);
    if (!block) return;
    u32 slot = block->control >> 24;
    const Code code = carry_out(*block, slot);
    finish_command(*block, code, slot);
  }
}

void Xhci::finish_command(const Block& block, Code code, u32 slot) {
  post({block.at, static_cast<u32>(code) << 24, static_cast<u32>(BlockType::CommandEvent) << 10 | slot << 24});
}

Code Xhci::carry_out(const Block& block, u32& slot) {
  const u32 endpoint = block.control >> 16 & 0x1F;
  switch (block.type()) {
    case BlockType::NoOperationCommand: return Code::Success;
    case BlockType::EnableSlot: slot = enable_slot(); return slot == 0 ? Code::NoSlots : Code::Success;
    default: break;
  }
  if (slot == 0 || slot > kMostSlots || !slots_[slot - 1].enabled) return Code::SlotNotEnabled;
  switch (block.type()) {
    case BlockType::DisableSlot: slots_[slot - 1] = {}; return Code::Success;
    case BlockType::AddressDevice: return address_device(block, slot);
    case BlockType::ConfigureEndpoint: return configure(block, slot);
    case BlockType::EvaluateContext: return evaluate(block, slot);
    case BlockType::ResetDevice: return reset_device(slot);
    default: break;
  }
  if (endpoint == 0) return Code::BlockError;
  switch (block.type()) {
    case BlockType::StopEndpoint: return stop_endpoint(slot, endpoint);
    case BlockType::ResetEndpoint: return restart_endpoint(slot, endpoint);
    case BlockType::SetDequeue: return set_dequeue(block, slot, endpoint);
    default: return Code::BlockError;
  }
}

// --- Slots ---

u32 Xhci::enable_slot() {
  for (u32 i = 0; i < std::min(configured_slots_, kMostSlots); i++) {
    if (slots_[i].enabled) continue;
    slots_[i] = {};
    slots_[i].enabled = true;
    return i + 1;
  }
  return 0;
}

// The controller itself gives the device at the port, or behind its hubs, an address: the slot's number. It is the one
// that has none yet, as its port has just been reset.
Code Xhci::address_device(const Block& block, u32 number) {
  const u64 input = block.parameter & kBlockMask;
  const bool only_default = (block.control & kBlockAddress) != 0;
  constexpr u32 kBoth = kSlotFlag | kFirstEndpointFlag;
  if ((load32(input + 4) & kBoth) != kBoth) return Code::BlockError;
  Context slot_context = read_context(input + kContextBytes);
  const u32 port = slot_context[1] >> kRootPortAt & 0xFF;
  if (port == 0 || port > all_ports()) return Code::BlockError;
  Slot& slot = slots_[number - 1];
  slot.port = static_cast<u8>(port);
  slot.addressed = false;
  if (!only_default) {
    UsbDevice* const device = device_of(number);
    if (device == nullptr) return Code::TransactionError;
    constexpr u8 kSetAddress = 5;
    std::array<u8, 8> setup{0, kSetAddress, static_cast<u8>(number)};
    (void)device->transact(UsbToken::Setup, 0, setup);
    (void)device->transact(UsbToken::In, 0, {});
    slot.addressed = true;
  }
  slot_context[3] = (only_default ? kDefault : kAddressed) << kSlotStateAt | (only_default ? 0 : number);
  write_context(device_context(number, 0), slot_context);
  take_endpoint(number, 1, read_context(input + u64{2} * kContextBytes));
  return Code::Success;
}

Code Xhci::configure(const Block& block, u32 number) {
  const u64 input = block.parameter & kBlockMask;
  const bool none = (block.control & kDeconfigure) != 0;
  Slot& slot = slots_[number - 1];
  const u32 dropped = none ? ~u32{0} : load32(input), added = none ? 0 : load32(input + 4);
  for (u32 i = 2; i < kEndpoints; i++) {
    const bool drops = (dropped >> i & 1) != 0, adds = (added >> i & 1) != 0;
    if (drops || adds) slot.endpoints[i] = {};
    if (adds) {
      take_endpoint(number, i, read_context(input + u64{i + 1} * kContextBytes));
    } else if (drops && !none) {
      show_endpoint(number, i);
    }
  }
  Context context = read_context(device_context(number, 0));
  if ((added & kSlotFlag) != 0) {
    const u32 state = context[3];
    context = read_context(input + kContextBytes);
    context[3] = state;
  }
  const u32 last = none ? 1 : context[0] >> kContextEntriesAt;
  context[0] = (context[0] & ~(0x1Fu << kContextEntriesAt)) | last << kContextEntriesAt;
  context[3] = (context[3] & ~kStateBits) | (none ? kAddressed : kConfigured) << kSlotStateAt;
  write_context(device_context(number, 0), context);
  return Code::Success;
}

// What may change so: the packets of endpoint 1, and of the slot latencies and interrupters, which mean nothing here.
Code Xhci::evaluate(const Block& block, u32 number) {
  const u64 input = block.parameter & kBlockMask;
  const u32 flags = load32(input + 4);
  if ((flags & kFirstEndpointFlag) != 0) {
    const Context given = read_context(input + u64{2} * kContextBytes);
    Context context = read_context(device_context(number, 1));
    context[1] = (context[1] & 0xFFFF) | (given[1] & 0xFFFF0000);
    slots_[number - 1].endpoints[1].packet = packet_of(context);
    write_context(device_context(number, 1), context);
  }
  if ((flags & kSlotFlag) == 0) return Code::Success;
  Context context = read_context(device_context(number, 0));
  const Context given = read_context(input + kContextBytes);
  context[1] = (context[1] & 0xFFFF0000) | (given[1] & 0xFFFF);
  context[2] = given[2];
  write_context(device_context(number, 0), context);
  return Code::Success;
}

Code Xhci::reset_device(u32 number) {
  Slot& slot = slots_[number - 1];
  slot.addressed = false;
  for (u32 i = 2; i < kEndpoints; i++) slot.endpoints[i] = {};
  Context context = read_context(device_context(number, 0));
  context[0] = (context[0] & ~(0x1Fu << kContextEntriesAt)) | 1u << kContextEntriesAt;
  context[3] = kDefault << kSlotStateAt;
  write_context(device_context(number, 0), context);
  return Code::Success;
}

// --- Endpoints ---

void Xhci::take_endpoint(u32 number, u32 index, Context context) {
  Endpoint& endpoint = slots_[number - 1].endpoints[index];
  endpoint = {};
  endpoint.state = kRunning;
  endpoint.type = static_cast<u8>(context[1] >> 3 & 7);
  endpoint.interval = static_cast<u8>(std::min<u32>(context[0] >> 16 & 0xFF, kLongestInterval));
  endpoint.packet = packet_of(context);
  const u64 ring = context[2] | u64{context[3]} << 32;
  endpoint.ring = {ring & kBlockMask, (ring & kCycle) != 0};
  context[0] = (context[0] & ~7u) | kRunning;
  write_context(device_context(number, index), context);
}

// What the device's context says of an endpoint: its state, and where its ring is.
void Xhci::show_endpoint(u32 number, u32 index) {
  const Endpoint& endpoint = slots_[number - 1].endpoints[index];
  const u64 at = device_context(number, index);
  Context context = read_context(at);
  context[0] = (context[0] & ~7u) | endpoint.state;
  const u64 ring = endpoint.ring.dequeue | (endpoint.ring.cycle ? kCycle : 0);
  context[2] = static_cast<u32>(ring);
  context[3] = static_cast<u32>(ring >> 32);
  write_context(at, context);
}

// A transfer that is under way is told of, with what it lacks (4.6.9).
Code Xhci::stop_endpoint(u32 number, u32 index) {
  Endpoint& endpoint = slots_[number - 1].endpoints[index];
  if (endpoint.state != kRunning) return Code::ContextState;
  if (const auto transfer = next_transfer(endpoint); transfer && endpoint.armed) {
    u32 left = endpoint.moved;
    const Block* at = &transfer->blocks.front();
    for (const Block& block : transfer->blocks) {
      at = &block;
      const u32 bytes = block.has_data() ? block.length() : 0;
      if (left < bytes) break;
      left -= bytes;
    }
    const u32 lacking = at->has_data() ? at->length() - std::min(left, at->length()) : 0;
    post({at->at, static_cast<u32>(Code::Stopped) << 24 | lacking,
          static_cast<u32>(BlockType::TransferEvent) << 10 | index << 16 | number << 24});
  }
  endpoint.state = kStopped;
  endpoint.armed = false;
  show_endpoint(number, index);
  return Code::Success;
}

Code Xhci::restart_endpoint(u32 number, u32 index) {
  Endpoint& endpoint = slots_[number - 1].endpoints[index];
  if (endpoint.state != kHaltedEndpoint) return Code::ContextState;
  endpoint.state = kStopped;
  show_endpoint(number, index);
  return Code::Success;
}

Code Xhci::set_dequeue(const Block& block, u32 number, u32 index) {
  Endpoint& endpoint = slots_[number - 1].endpoints[index];
  if (endpoint.state != kStopped) return Code::ContextState;
  endpoint.ring = {block.parameter & kBlockMask, (block.parameter & kCycle) != 0};
  endpoint.moved = 0;
  show_endpoint(number, index);
  return Code::Success;
}

}  // namespace relic86
