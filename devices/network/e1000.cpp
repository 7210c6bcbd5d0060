// Intel 82540EM (Software Developer's Manual 317453, chapter 13)
//
//   BAR0 (128 KiB, dwords); BAR1 (64 ports): 00h RW IOADDR, 04h RW IODATA, the register at IOADDR
//   0000h  RW   CTRL: 26 reset, 30 VLAN tags stripped, 31 PHY reset
//   0008h  R    STATUS: 0 full duplex, 1 link, 7:6 speed
//   0010h  RW   EECD: the EEPROM's wires
//   0014h  RW   EERD: 0 start, 4 done, 15:8 word, 31:16 data
//   0020h  RW   MDIC: a PHY register
//   00C0h  RWC  ICR (reading clears);  00C4h RW ITR (256 ns);  00C8h W ICS
//   00D0h  RW   IMS sets the mask;  00D8h W IMC clears it
//   0100h  RW   RCTL;  0400h TCTL
//   2800h  RW   RDBAL, RDBAH, RDLEN;  2810h RDH;  2818h RDT;  2820h RDTR and 282Ch RADV (1.024 us)
//   3800h  RW   TDBAL, TDBAH, TDLEN;  3810h TDH;  3818h TDT;  3820h TIDV and 382Ch TADV
//   4000h  R    64 statistics, cleared by reading
//   5000h  RW   RXCSUM;  5200h MTA;  5400h RA;  5600h VFTA
//   The rest of kPlainOffsets holds what is written.
//
// The packet buffer (10000h and up) and diagnostic registers read 0. A cause waits for ITR, and for RDTR, RADV, TIDV
// and TADV, in guest time.
#include "devices/network/e1000.h"

#include <algorithm>

#include "base/newer_state.h"
#include "base/state_loading.h"
#include "devices/network/ethernet.h"

namespace relic86 {

using namespace e1000;

namespace {
constexpr RegionId kMemoryRegion = 0, kIoRegion = 1;
constexpr u32 kRegisterSpace = 0x20000, kIoSpace = 64;
constexpr u32 kRingLengthMask = 0xFFF80, kRingBaseMask = 0xFFFFFFF0, kRingIndexMask = 0xFFFF;
constexpr u32 kEventThrottle = 0, kEventReceive = 1, kEventTransmit = 2, kEventResume = 3;
constexpr GuestTime kItrUnit = 256, kDelayUnit = 1024;  // ns
constexpr u32 kIcrAsserted = 1u << 31, kMdicInterrupt = 1u << 29;

// In the order of E1000::plain_.
constexpr u32 kPlainOffsets[] = {
    kCtrlExt, 0x0028, 0x002C, 0x0030, kVet,   kItr,   0x0170, 0x0178, 0x0410, 0x0458,  0x0E00, kPba,   0x2160, 0x2168,
    kRdtr,    0x2828, kRadv,  0x2C00, 0x3000, kTidv,  0x3828, kTadv,  0x3830, kRxcsum, 0x5800, 0x5808, 0x5810, 0x5820,
    0x5838,   0x5840, 0x5848, 0x5850, 0x5858, 0x5860, 0x5868, 0x5870, 0x5880, 0x5900,  0x2410, 0x2418, 0x3410};

constexpr u32 kPbaAtReset = 0x00100030, kPlainPba = 11, kPlainItr = 5, kPlainRdtr = 14, kPlainRadv = 16,
              kPlainTidv = 19, kPlainTadv = 21, kPlainVet = 4;
constexpr u32 kVlanType = 0x8100;
static_assert(kPlainOffsets[kPlainPba] == kPba && kPlainOffsets[kPlainItr] == kItr);
static_assert(kPlainOffsets[kPlainRdtr] == kRdtr && kPlainOffsets[kPlainRadv] == kRadv);
static_assert(kPlainOffsets[kPlainTidv] == kTidv && kPlainOffsets[kPlainTadv] == kTadv);
static_assert(kPlainOffsets[kPlainVet] == kVet);
}  // namespace

E1000::E1000(std::string name, NetworkLink& link, const MacAddress& address)
    : PciDevice({.vendor = 0x8086, .device = 0x100E, .revision = 3, .class_code = 0x020000, .interrupt_pin = 1}),
      name_(std::move(name)),
      link_(link) {
  static_assert(std::size(kPlainOffsets) == kPlain);
  declare_memory_bar(0, kRegisterSpace, kMemoryRegion, 4);
  declare_io_bar(1, kIoSpace, kIoRegion, 4);
  load_eeprom(address);
  link_.connect(this);
}

// Words 0 to 2: the address; 0Ah to 0Fh: what the PCI header says, which is the same here; 3Fh: the sum is BABAh.
void E1000::load_eeprom(const MacAddress& address) {
  for (std::size_t i = 0; i < address.size(); i += 2)
    eeprom_.set_word(i / 2, static_cast<u16>(address[i] | address[i + 1] << 8));
  constexpr u16 kInitControl1 = 0x4408, kInitControl2 = 0x3040;
  eeprom_.set_word(0x0A, kInitControl1);
  eeprom_.set_word(0x0B, identity().subsystem);
  eeprom_.set_word(0x0C, identity().subsystem_vendor);
  eeprom_.set_word(0x0D, identity().device);
  eeprom_.set_word(0x0E, identity().vendor);
  eeprom_.set_word(0x0F, kInitControl2);
  constexpr u16 kSum = 0xBABA;
  constexpr std::size_t kSumWord = 0x3F;
  u16 sum = 0;
  for (std::size_t i = 0; i < kSumWord; i++) sum = static_cast<u16>(sum + eeprom_.word(i));
  eeprom_.set_word(kSumWord, static_cast<u16>(kSum - sum));
}

Result<> E1000::attach_function(Attachment& board) {
  memory_ = &board.memory();
  scheduler_ = &board.scheduler();
  throttle_timer_ = board.timer(*this, "throttle", kEventThrottle);
  receive_timer_ = board.timer(*this, "receive", kEventReceive);
  transmit_timer_ = board.timer(*this, "transmit", kEventTransmit);
  resume_timer_ = board.timer(*this, "resume", kEventResume);
  return {};
}

void E1000::reset_function(ResetKind) {
  phy_.reset();
  reset_registers();
}

void E1000::reset_registers() {
  plain_ = {};
  plain_[kPlainPba] = kPbaAtReset;
  plain_[kPlainVet] = kVlanType;
  statistics_ = {};
  multicast_ = {};
  vlans_ = {};
  addresses_ = {};
  addresses_[0] = eeprom_.word(0) | u32{eeprom_.word(1)} << 16;
  addresses_[1] = eeprom_.word(2) | kRahValid;
  control_ = kCtrlAtReset;
  eecd_ = kEecdPresent;
  eerd_ = mdic_ = 0;
  causes_ = mask_ = 0;
  receive_control_ = transmit_control_ = 0;
  receive_ring_ = transmit_ring_ = {};
  fetched_ = 0;
  next_interrupt_ = receive_absolute_ = transmit_absolute_ = 0;
  packet_.clear();
  packet_started_ = segmenting_ = legacy_checksum_ = insert_vlan_ = false;
  packet_options_ = legacy_offset_ = legacy_start_ = 0;
  vlan_ = 0;
  io_address_ = 0;
  checksum_context_ = segment_context_ = {};
  for (const TimerId timer : {throttle_timer_, receive_timer_, transmit_timer_, resume_timer_})
    scheduler_->cancel(timer);
  update_interrupt();
}

void E1000::Ring::state(StateArchive& archive) {
  archive.field("base_low", base_low);
  archive.field("base_high", base_high);
  archive.field("length", length);
  archive.field("head", head);
  archive.field("tail", tail);
  if (!archive.loading()) return;
  base_low &= kRingBaseMask;
  length &= kRingLengthMask;
  head &= kRingIndexMask;
  tail &= kRingIndexMask;
}

void E1000::Context::state(StateArchive& archive) {
  archive.field("ip_start", ip_start);
  archive.field("ip_offset", ip_offset);
  archive.field("ip_end", ip_end);
  archive.field("transport_start", transport_start);
  archive.field("transport_offset", transport_offset);
  archive.field("transport_end", transport_end);
  archive.field("segment_size", segment_size);
  archive.field("header_length", header_length);
  archive.field("command", command);
}

void E1000::state_function(StateArchive& archive) {
  archive.group("eeprom", [&] { eeprom_.state(archive); });
  archive.group("phy", [&] { phy_.state(archive); });
  archive.bytes("plain", plain_);
  archive.bytes("statistics", statistics_);
  archive.bytes("multicast", multicast_);
  archive.bytes("addresses", addresses_);
  archive.bytes("vlans", vlans_);
  archive.field("control", control_);
  archive.field("eecd", eecd_);
  archive.field("eerd", eerd_);
  archive.field("mdic", mdic_);
  archive.field("causes", causes_);
  archive.field("mask", mask_);
  archive.field("receive_control", receive_control_);
  archive.field("transmit_control", transmit_control_);
  archive.group("receive_ring", [&] { receive_ring_.state(archive); });
  newer_field(archive, "fetched", fetched_, descriptors_from(receive_ring_.head));
  archive.group("transmit_ring", [&] { transmit_ring_.state(archive); });
  moment_field(archive, "next_interrupt", next_interrupt_);
  moment_field(archive, "receive_absolute", receive_absolute_);
  moment_field(archive, "transmit_absolute", transmit_absolute_);
  archive.field("asserted", asserted_);
  archive.field("io_address", io_address_);
  archive.resizable("packet", packet_);
  archive.field("packet_started", packet_started_);
  archive.field("segmenting", segmenting_);
  archive.field("packet_options", packet_options_);
  archive.field("legacy_offset", legacy_offset_);
  archive.field("legacy_start", legacy_start_);
  archive.field("legacy_checksum", legacy_checksum_);
  archive.field("insert_vlan", insert_vlan_);
  archive.field("vlan", vlan_);
  archive.group("checksum_context", [&] { checksum_context_.state(archive); });
  archive.group("segment_context", [&] { segment_context_.state(archive); });
  if (archive.loading()) fetched_ = std::min(fetched_, receive_ring_.count());
  if (archive.loading() && packet_.size() > kMostPacketBytes) packet_.resize(kMostPacketBytes);
}

void E1000::config_written(unsigned, unsigned) { link_.receiver_ready(); }

// --- Registers ---

u32 E1000::status() const { return kStatusFullDuplex | kStatusSpeed | (link_.up() ? kStatusLinkUp : 0); }

u32* E1000::plain_register(u32 offset) {
  const auto* at = std::find(std::begin(kPlainOffsets), std::end(kPlainOffsets), offset);
  return at == std::end(kPlainOffsets) ? nullptr : &plain_[static_cast<std::size_t>(at - std::begin(kPlainOffsets))];
}

u32* E1000::ring_register(u32 offset) {
  constexpr u32 kRingSpace = 0x20;
  Ring* const ring = offset >= kRdbal && offset < kRdbal + kRingSpace   ? &receive_ring_
                     : offset >= kTdbal && offset < kTdbal + kRingSpace ? &transmit_ring_
                                                                        : nullptr;
  if (ring == nullptr) return nullptr;
  switch (offset & (kRingSpace - 1)) {
    case kRdbal & 0x1F: return &ring->base_low;
    case kRdbah & 0x1F: return &ring->base_high;
    case kRdlen & 0x1F: return &ring->length;
    case kRdh & 0x1F: return &ring->head;
    case kRdt & 0x1F: return &ring->tail;
    default: return nullptr;
  }
}

u32 E1000::read_array(u32 offset) const {
  const auto within = [offset](u32 first, const auto& array) {
    return offset >= first && offset < first + sizeof(array);
  };
  if (within(kMta, multicast_)) return multicast_[(offset - kMta) / 4];
  if (within(kRa, addresses_)) return addresses_[(offset - kRa) / 4];
  if (within(kVfta, vlans_)) return vlans_[(offset - kVfta) / 4];
  return 0;
}

u32 E1000::read_register(u32 offset) {
  switch (offset) {
    case kCtrl: return control_;
    case kStatus: return status();
    case kEecd: return eecd_ | (eeprom_.output() ? kEecdDataOut : 0);
    case kEerd: return eerd_;
    case kMdic: return mdic_;
    case kIcr: {
      const u32 value = causes_ | (asserted_ ? kIcrAsserted : 0);
      causes_ = 0;
      update_interrupt();
      return value;
    }
    case kIms: return mask_;
    case kRctl: return receive_control_;
    case kTctl: return transmit_control_;
    default: break;
  }
  if (const u32* value = ring_register(offset); value != nullptr) return *value;
  if (const u32* value = plain_register(offset); value != nullptr) return *value;
  if (offset >= kStatistics && offset < kStatistics + sizeof(statistics_))
    return std::exchange(statistics_[(offset - kStatistics) / 4], 0u);
  return read_array(offset);
}

void E1000::write_register(u32 offset, u32 value) {
  switch (offset) {
    case kCtrl:
      if ((value & kCtrlReset) != 0) return reset_registers();
      if ((value & kCtrlPhyReset) != 0) phy_.reset();
      control_ = value & ~kCtrlPhyReset;
      return;
    case kEecd: return write_eecd(value);
    case kEerd: return read_eeprom(value);
    case kMdic:
      mdic_ = phy_.access(value, link_.up());
      if ((value & kMdicInterrupt) != 0) cause(kMdac);
      return;
    case kIcr: causes_ &= ~value; return update_interrupt();
    case kIcs: return cause(value & ~kIcrAsserted);
    case kIms: mask_ |= value & ~kIcrAsserted; return update_interrupt();
    case kImc: mask_ &= ~value; return update_interrupt();
    case kRctl: {
      const bool begins = (value & ~receive_control_ & kRctlEnable) != 0;
      receive_control_ = value;
      if (begins) fetched_ = descriptors_from(receive_ring_.head);
      return link_.receiver_ready();
    }
    case kTctl: transmit_control_ = value; return transmit();
    default: break;
  }
  if (u32* ring = ring_register(offset); ring != nullptr) {
    const u32 tail_before = receive_ring_.tail;
    switch (offset & 0x1F) {
      case kRdbal & 0x1F: *ring = value & kRingBaseMask; break;
      case kRdbah & 0x1F: *ring = value; break;
      case kRdlen & 0x1F: *ring = value & kRingLengthMask; break;
      default: *ring = value & kRingIndexMask; break;
    }
    if (offset == kTdt) transmit();
    if (offset == kRdh || offset == kRdlen) fetched_ = descriptors_from(receive_ring_.head);
    if (offset == kRdt) {
      fetch_descriptors(tail_before);
      link_.receiver_ready();
    }
    return;
  }
  if (u32* plain = plain_register(offset); plain != nullptr) {
    *plain = offset == kRdtr || offset == kTidv ? value & ~kFlushPartial : value;
    if (offset == kRdtr && (value & kFlushPartial) != 0) expire(true);
    if (offset == kTidv && (value & kFlushPartial) != 0) expire(false);
    return;
  }
  if (offset >= kMta && offset < kMta + sizeof(multicast_)) multicast_[(offset - kMta) / 4] = value;
  if (offset >= kRa && offset < kRa + sizeof(addresses_)) addresses_[(offset - kRa) / 4] = value;
  if (offset >= kVfta && offset < kVfta + sizeof(vlans_)) vlans_[(offset - kVfta) / 4] = value;
}

u64 E1000::read(RegionId region, u64 offset, unsigned width) {
  if (bus_mastering_) return all_ones(width);
  auto at = static_cast<u32>(offset);
  const unsigned shift = (at & 3) * 8;
  at &= ~3u;
  u32 value = 0;
  if (region == kMemoryRegion)
    value = read_register(at);
  else if (at == 0)
    value = io_address_;
  else if (at == 4)
    value = read_register(io_address_);
  return value >> shift & all_ones(width);
}

// Registers are dwords; narrower writes are none (13.2.1).
void E1000::write(RegionId region, u64 offset, unsigned width, u64 value) {
  const auto at = static_cast<u32>(offset);
  if (width != 4 || (at & 3) != 0 || bus_mastering_) return;
  const auto dword = static_cast<u32>(value);
  if (region == kMemoryRegion) return write_register(at, dword);
  if (at == 0) io_address_ = dword & (kRegisterSpace - 1) & ~3u;
  if (at == 4) write_register(io_address_, dword);
}

void E1000::write_eecd(u32 value) {
  constexpr u32 kKept = kEecdClock | kEecdSelect | kEecdDataIn | kEecdRequest | 0x30;
  eeprom_.drive((value & kEecdSelect) != 0, (value & kEecdClock) != 0, (value & kEecdDataIn) != 0);
  eecd_ = (value & kKept) | kEecdPresent | ((value & kEecdRequest) != 0 ? kEecdGrant : 0);
}

void E1000::read_eeprom(u32 value) {
  constexpr u32 kAddressShift = 8, kDataShift = 16, kAddressMask = 0xFF;
  eerd_ = value & (kAddressMask << kAddressShift);
  if ((value & kEerdStart) == 0) return;
  const u32 word = value >> kAddressShift & kAddressMask;
  eerd_ |= kEerdDone | (word < eeprom_.size() ? u32{eeprom_.word(word)} << kDataShift : 0);
}

// --- Interrupts ---

void E1000::cause(u32 bits) {
  causes_ |= bits;
  update_interrupt();
}

void E1000::update_interrupt() {
  const bool wanted = (causes_ & mask_) != 0;
  if (wanted && !asserted_) {
    const GuestTime now = scheduler_->now();
    if (now < next_interrupt_) return scheduler_->schedule_at(throttle_timer_, next_interrupt_);
    const u32 interval = plain_[kPlainItr] & 0xFFFF;
    next_interrupt_ = interval == 0 ? 0 : now + interval * kItrUnit;
  }
  if (wanted == asserted_) return;
  asserted_ = wanted;
  set_interrupt(wanted);
}

// A cause that waits for more of its kind: each one starts the delay anew, up to an absolute limit.
void E1000::delay(bool receives, u32 timer, u32 absolute) {
  GuestTime& limit = receives ? receive_absolute_ : transmit_absolute_;
  const GuestTime now = scheduler_->now();
  constexpr GuestTime kNoLimit = kLongestTime;
  if (limit == 0) limit = absolute == 0 ? kNoLimit : now + absolute * kDelayUnit;
  scheduler_->schedule_at(receives ? receive_timer_ : transmit_timer_, std::min(now + timer * kDelayUnit, limit));
}

void E1000::expire(bool receives) {
  GuestTime& limit = receives ? receive_absolute_ : transmit_absolute_;
  scheduler_->cancel(receives ? receive_timer_ : transmit_timer_);
  if (limit == 0) return;
  limit = 0;
  cause(receives ? kRxt0 : kTxdw);
}

void E1000::event(u32 id, GuestTime) {
  switch (id) {
    case kEventThrottle: return update_interrupt();
    case kEventReceive: return expire(true);
    case kEventTransmit: return expire(false);
    default: return transmit();
  }
}

void E1000::link_changed(bool) { cause(kLsc); }

ReceiveFilter E1000::receive_filter() const {
  MacAddress address{};
  for (std::size_t i = 0; i < address.size(); i++) address[i] = static_cast<u8>(addresses_[i / 4] >> (i % 4 * 8));
  return {(receive_control_ & kRctlUnicast) != 0, (receive_control_ & kRctlBroadcast) != 0,
          (receive_control_ & kRctlMulticast) != 0, address};
}

}  // namespace relic86
