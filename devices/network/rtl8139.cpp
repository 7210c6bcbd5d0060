// Realtek RTL8139C+ (datasheet rev. 1.6, chapter 5)
//
//   BAR0 (256 ports) and BAR1 (256 bytes) show the same registers:
//   00h-05h RW IDR station address    08h-0Fh RW MAR multicast hash
//   10h-1Fh RW TSD0-3: 12:0 size, 13 OWN, 15 TOK     20h-2Fh RW TSAD0-3; C+: 20h TNPDS, 28h THPDS (tables of
//   descriptors) 30h RW RBSTART   37h RW CR: 0 BUFE, 2 TE, 3 RE, 4 RST   38h RW CAPR (read pointer - 16)   3Ah R CBR
//   3Ch RW IMR   3Eh RWC ISR: 0 ROK, 1 RER, 2 TOK, 3 TER, 4 RXOVW, 5 link, 6 FOVW, 7 TDU, 8 SWInt, 14 timer
//   40h RW TCR: 18:17 loopback   44h RW RCR: 0 AAP, 1 APM, 2 AM, 3 AB, 7 WRAP, 12:11 RBLEN
//   48h RW TCTR (33 MHz; writing clears)   4Ch RW MPC missed frames   54h RW TimerInt
//   50h RW 9346CR: 7:6 mode (1 auto-load, 2 EEPROM, 3 configuration), 3 EECS, 2 EESK, 1 EEDI, 0 EEDO
//   51h-5Bh RW CONFIG0-4 and MSR (2 link is down)   5Eh R revision   60h R TSAD status   62h-6Bh MII registers
//   D9h W TPPoll: 6 normal, 7 high priority queue   E0h RW C+CR: 0 transmit, 1 receive, 5 checksums, 6 VLAN   E4h RW
//   RDSAR
//
// The high priority queue is not sent from: no driver that is known uses it.
#include "devices/network/rtl8139.h"

#include <algorithm>

#include "base/state_loading.h"
#include "devices/network/ethernet.h"
#include "devices/network/rtl8139_registers.h"

namespace relic86 {

using namespace rtl8139;

namespace {
constexpr RegionId kRegion = 0;
constexpr u32 kMemorySpace = 4096;  // the smallest memory BAR; the registers repeat in it
constexpr u32 kTimerEvent = 0;
constexpr u32 kHardwareVersion = 0x74800000, kVersionMask = 0x7CC00000;
constexpr u8 kChipRevision = 0x20;
constexpr std::size_t kAddressWord = 7;
constexpr u8 kModeShift = 6, kAutoLoad = 1, kProgramming = 2, kConfigWrite = 3;
constexpr i64 kTimerHertz = 33'000'000, kNanosecondsPerSecond = 1'000'000'000;

// What the guest may write without an effect beyond the register, by byte.
bool plain_writable(unsigned offset) {
  struct Span {
    unsigned first, end;
  };
  constexpr Span kSpans[] = {{0x00, 0x06}, {0x08, 0x38}, {0x38, 0x3A}, {0x3C, 0x3E}, {0x40, 0x48},
                             {0x4C, 0x4F}, {0x54, 0x58}, {0x5C, 0x5E}, {0x62, 0x64}, {0x66, 0x68},
                             {0x70, 0x84}, {0xD0, 0xD8}, {0xE0, 0xEE}};
  return std::any_of(std::begin(kSpans), std::end(kSpans),
                     [offset](const Span& span) { return offset >= span.first && offset < span.end; });
}

bool configuration(unsigned offset) {
  return (offset >= kConfig0 && offset <= kConfig1) || (offset >= kConfig3 && offset <= kConfig4) || offset == kConfig5;
}
}  // namespace

Rtl8139::Rtl8139(std::string name, NetworkLink& link, const MacAddress& address)
    : PciDevice(
          {.vendor = 0x10EC, .device = 0x8139, .revision = kChipRevision, .class_code = 0x020000, .interrupt_pin = 1}),
      name_(std::move(name)),
      link_(link) {
  declare_io_bar(0, kRegisters, kRegion, 4);
  declare_memory_bar(1, kMemorySpace, kRegion, 4);
  constexpr u16 kSignature = 0x8129;
  eeprom_.set_word(0, kSignature);
  eeprom_.set_word(1, identity().vendor);
  eeprom_.set_word(2, identity().device);
  eeprom_.set_word(3, identity().subsystem_vendor);
  eeprom_.set_word(4, identity().subsystem);
  for (std::size_t i = 0; i < address.size(); i += 2)
    eeprom_.set_word(kAddressWord + i / 2, static_cast<u16>(address[i] | address[i + 1] << 8));
  link_.connect(this);
}

Result<> Rtl8139::attach_function(Attachment& board) {
  memory_ = &board.memory();
  scheduler_ = &board.scheduler();
  timer_ = board.timer(*this, "timer", kTimerEvent);
  resume_timer_ = board.timer(*this, "resume", kTimerEvent + 1);
  return {};
}

u32 Rtl8139::get(unsigned offset, unsigned width) const {
  u32 value = 0;
  for (unsigned i = 0; i < width; i++) value |= u32{registers_[offset + i]} << (i * 8);
  return value;
}

void Rtl8139::set(unsigned offset, unsigned width, u32 value) {
  for (unsigned i = 0; i < width; i++) registers_[offset + i] = static_cast<u8>(value >> (i * 8));
}

void Rtl8139::load_from_eeprom() {
  for (unsigned i = 0; i < kMacBytes; i += 2) set(kIdr + i, 2, eeprom_.word(kAddressWord + i / 2));
}

void Rtl8139::reset_function(ResetKind) {
  registers_ = {};
  load_from_eeprom();
  reset_chip();
}

// CR.RST: all but the station address, the multicast hash and the configuration.
void Rtl8139::reset_chip() {
  std::array<u8, kMar + 8> kept{};
  std::copy_n(registers_.begin(), kept.size(), kept.begin());
  registers_ = {};
  std::copy(kept.begin(), kept.end(), registers_.begin());
  for (unsigned i = 0; i < 4; i++) set(kTsd + i * 4, 4, kOwn);
  set(kCapr, 2, 0xFFF0);
  set(kTcr, 4, kHardwareVersion);
  set(kConfig1, 1, 0x0C);
  set(kConfig3, 1, 0x01);
  set(kRevision, 1, 0x10);
  set(kBmcr, 2, 0x1000);
  set(kAnar, 2, 0x05E1);
  receive_index_ = transmit_index_ = 0;
  packet_.clear();
  timer_base_ = scheduler_->now();
  scheduler_->cancel(resume_timer_);
  update_timer();
  update_interrupt();
}

void Rtl8139::state_function(StateArchive& archive) {
  archive.group("eeprom", [&] { eeprom_.state(archive); });
  archive.bytes("registers", registers_);
  archive.field("receive_index", receive_index_);
  archive.field("transmit_index", transmit_index_);
  moment_field(archive, "timer_base", timer_base_);
  archive.resizable("packet", packet_);
  if (!archive.loading()) return;
  receive_index_ %= kMostDescriptors;
  transmit_index_ %= kMostDescriptors;
  if (packet_.size() > kMostPacketBytes) packet_.resize(kMostPacketBytes);
}

void Rtl8139::config_written(unsigned, unsigned) { link_.receiver_ready(); }

// --- Registers ---

u8 Rtl8139::read_byte(unsigned offset) const {
  const auto byte_of = [](u32 value, unsigned at) { return static_cast<u8>(value >> (at * 8)); };
  if (offset >= kTctr && offset < kTctr + 4) return byte_of(timer_count(), offset - kTctr);
  if (offset >= kTsadStatus && offset < kTsadStatus + 2) {
    // 15:12 TOK, 11:8 TUN, 7:4 TABT, 3:0 OWN of descriptors 3 to 0.
    constexpr unsigned kTokShift = 12;
    u32 status = 0;
    for (unsigned i = 0; i < 4; i++) {
      const u32 descriptor = get(kTsd + i * 4, 4);
      status |= ((descriptor & kOwn) != 0 ? 1u : 0u) << i | ((descriptor & kSent) != 0 ? 1u : 0u) << (kTokShift + i);
    }
    return byte_of(status, offset - kTsadStatus);
  }
  const bool up = link_.up();
  switch (offset) {
    case kCr: return static_cast<u8>(registers_[kCr] | (ring_free() == ring_bytes() ? kBufferEmpty : 0));
    case k9346cr: return static_cast<u8>(registers_[k9346cr] | (eeprom_.output() ? 1 : 0));
    case kMsr: return up ? 0 : 4;
    case kBmsr: return up ? 0x2D : 0x09;
    case kBmsr + 1: return 0x78;
    case kAnlpar: return up ? 0xE1 : 0;
    case kAnlpar + 1: return up ? 0x45 : 0;
    case kAner: return up ? 1 : 0;
    default: return registers_[offset];
  }
}

u64 Rtl8139::read(RegionId, u64 offset, unsigned width) {
  if (bus_mastering_) return all_ones(width);
  u64 value = 0;
  for (unsigned i = 0; i < width; i++)
    value |= u64{read_byte(static_cast<unsigned>(offset + i) % kRegisters)} << (i * 8);
  return value;
}

void Rtl8139::write_byte(unsigned offset, u8 value) {
  if (configuration(offset)) {
    if (registers_[k9346cr] >> kModeShift == kConfigWrite) registers_[offset] = value;
    return;
  }
  switch (offset) {
    case kCr: return write_command(value);
    case k9346cr: return write_eeprom_command(value);
    case kIsr:
    case kIsr + 1: registers_[offset] = static_cast<u8>(registers_[offset] & ~value); return;
    default:
      if (plain_writable(offset)) registers_[offset] = value;
  }
}

void Rtl8139::write(RegionId, u64 offset, unsigned width, u64 value) {
  if (bus_mastering_) return;
  const unsigned first = static_cast<unsigned>(offset) % kRegisters;
  if (first + width > kRegisters) return;
  for (unsigned i = 0; i < width; i++) write_byte(first + i, static_cast<u8>(value >> (i * 8)));
  written(first, width);
}

// What follows from a write once all of its bytes are in.
void Rtl8139::written(unsigned offset, unsigned width) {
  const auto touched = [&](unsigned first, unsigned bytes) { return offset < first + bytes && offset + width > first; };
  if (touched(kImr, 4)) {
    update_interrupt();
    link_.receiver_ready();  // drivers give buffers back about then, in memory
  }
  if (touched(kTcr, 4)) set(kTcr, 4, (get(kTcr, 4) & ~kVersionMask) | kHardwareVersion);
  if (touched(kTctr, 4)) timer_base_ = scheduler_->now();
  if (touched(kTctr, 4) || touched(kTimerInt, 4)) update_timer();
  constexpr u16 kMiiSelfClearing = 0x8200;
  if (touched(kBmcr, 2)) set(kBmcr, 2, get(kBmcr, 2) & ~u32{kMiiSelfClearing});
  if (touched(kCapr, 2) || touched(kRcr, 4) || touched(kCr, 1) || touched(kCpcr, 2)) link_.receiver_ready();
  constexpr u32 kTableAlignment = 0xFFFFFF00;
  for (unsigned i = 0; i < 4; i++) {
    if (touched(kTsd + i * 4, 4)) transmit_legacy(i);
  }
  if (touched(kTsad, 8) && (get(kCpcr, 2) & kCpTransmit) != 0) set(kTsad, 4, get(kTsad, 4) & kTableAlignment);
  if (touched(kTsad, 8)) transmit_index_ = 0;
  if (touched(kRdsar, 8)) {
    set(kRdsar, 4, get(kRdsar, 4) & kTableAlignment);
    receive_index_ = 0;
  }
  if (touched(kTppoll, 1)) transmit_ring();
}

void Rtl8139::write_command(u8 value) {
  if ((value & kResetChip) != 0) return reset_chip();
  const u8 before = registers_[kCr];
  registers_[kCr] = value & (kTransmitEnable | kReceiveEnable);
  if ((value & kReceiveEnable) == 0 && (before & kReceiveEnable) != 0) receive_index_ = 0;
  if ((value & kTransmitEnable) == 0 && (before & kTransmitEnable) != 0) transmit_index_ = 0, packet_.clear();
}

void Rtl8139::write_eeprom_command(u8 value) {
  constexpr u8 kSelect = 8, kClock = 4, kData = 2, kMode = 0xC0;
  const u8 mode = value >> kModeShift;
  if (mode == kAutoLoad) {
    load_from_eeprom();
    registers_[k9346cr] = 0;
    return;
  }
  registers_[k9346cr] = value & (kMode | kSelect | kClock | kData);
  const bool programming = mode == kProgramming;
  eeprom_.drive(programming && (value & kSelect) != 0, (value & kClock) != 0, (value & kData) != 0);
}

// --- Interrupts and the timer ---

void Rtl8139::cause(u32 bits) {
  set(kIsr, 2, get(kIsr, 2) | bits);
  update_interrupt();
}

void Rtl8139::update_interrupt() { set_interrupt((get(kIsr, 2) & get(kImr, 2)) != 0); }

u32 Rtl8139::timer_count() const {
  const GuestTime passed = std::max<GuestTime>(0, scheduler_->now() - timer_base_);
  const i64 seconds = passed / kNanosecondsPerSecond, rest = passed % kNanosecondsPerSecond;
  return static_cast<u32>(static_cast<u64>(seconds * kTimerHertz + rest * kTimerHertz / kNanosecondsPerSecond));
}

void Rtl8139::update_timer() {
  const u32 limit = get(kTimerInt, 4);
  if (limit == 0) return scheduler_->cancel(timer_);
  // The count goes on beyond the limit and round: once a revolution it is met.
  const u32 ticks = limit - timer_count();
  scheduler_->schedule_in(timer_, i64{ticks == 0 ? ~u32{0} : ticks} * kNanosecondsPerSecond / kTimerHertz + 1);
}

void Rtl8139::event(u32 id, GuestTime) {
  if (id != kTimerEvent) return transmit_ring();
  cause(kTimeOut);
  update_timer();
}

void Rtl8139::link_changed(bool) { cause(kLinkChange); }

ReceiveFilter Rtl8139::receive_filter() const {
  MacAddress address{};
  std::copy_n(registers_.begin(), address.size(), address.begin());
  const u32 filter = get(kRcr, 4);
  return {(filter & kAcceptAll) != 0, (filter & kAcceptBroadcast) != 0,
          std::all_of(registers_.begin() + kMar, registers_.begin() + kMar + 8, [](u8 byte) { return byte == 0xFF; }),
          address};
}

}  // namespace relic86
