// DP8390D Network Interface Controller (National Semiconductor, 1995), in an NE2000's surroundings
//
//   page  offset   R/W  register (section 10)
//   all   00h      RW   CR: 0 stop, 1 start, 2 transmit, 5:3 remote DMA (1 read, 2 write, 3 send packet, 4 abort),
//                       7:6 page
//   0     01h      W    PSTART;  02h W PSTOP: first page of the receive ring, and the one after its last, of 256 bytes
//         01h      R    CLDA0, 02h CLDA1: where the receiver writes next
//         03h      RW   BNRY: the page that the host has not read yet
//         04h      R    TSR: 0 sent;                       W  TPSR: page of the frame to send
//         05h      R    NCR collisions, 06h FIFO;          W  TBCR0, TBCR1: its length
//         07h      RW   ISR: 0 received, 1 sent, 2 receive error, 3 transmit error, 4 overwrite warning, 5 counter,
//                       6 remote DMA complete, 7 reset; bits 6:0 cleared by writing ones
//         08h      R    CRDA0, 09h CRDA1;                  W  RSAR0, RSAR1: address of remote DMA
//         0Ah      R    identity of an RTL8029AS (50h), 0Bh (43h);  W RBCR0, RBCR1: bytes of remote DMA
//         0Ch      R    RSR: 0 intact, 5 multicast or broadcast;
//                                                          W  RCR: 1 runts, 2 broadcast, 3 multicast, 4 promiscuous,
//                                                             5 monitor
//         0Dh      R    CNTR0 alignment errors;            W  TCR: 2:1 loopback
//         0Eh      R    CNTR1 CRC errors;                  W  DCR: 0 words
//         0Fh      R    CNTR2 missed frames (cleared);     W  IMR
//   1     01h-06h  RW   PAR0-5 station address
//         07h      RW   CURR: page that the next frame goes to
//         08h-0Fh  RW   MAR0-7 multicast hash
//   2     01h-0Fh  R    the values that page 0 only writes
//
// Local memory: 0000h-001Fh PROM (each byte twice; 0Eh and 0Fh are 57h), 4000h-7FFFh RAM. There is no collision, and a
// frame is sent as soon as it is told to.
#include "devices/network/dp8390.h"

#include <algorithm>
#include <utility>

#include "devices/network/ethernet.h"

namespace relic86 {

namespace {
constexpr u8 kStop = 1, kStart = 2, kTransmit = 4;
constexpr unsigned kRemoteShift = 3, kRemoteMask = 7, kRemoteRead = 1, kRemoteWrite = 2, kPageShift8390 = 6;
constexpr u8 kReceived = 1, kSent = 2, kOverwrite = 0x10, kCounter = 0x20, kRemoteDone = 0x40, kResetDone = 0x80;
constexpr u8 kAcceptBroadcast = 4, kAcceptMulticast = 8, kPromiscuous = 0x10, kMonitor = 0x20;
constexpr u8 kLoopback = 6;
constexpr u8 kIntact = 1, kPhysicalOrNot = 0x20, kTransmitted = 1;
constexpr unsigned kPageBytes = 256, kHeaderBytes = 4;
constexpr u8 kNe2000Mark = 0x57;
constexpr u8 kCounterHalf = 0x80;
}  // namespace

Dp8390::Dp8390(NetworkLink& link, const MacAddress& address, std::array<u8, 2> identity)
    : link_(link), identity_(identity) {
  constexpr std::size_t kMarks = 14;
  for (std::size_t i = 0; i < kPromBytes / 2; i++) {
    const u8 byte = i < address.size() ? address[i] : i >= kMarks ? kNe2000Mark : u8{0};
    prom_[i * 2] = prom_[i * 2 + 1] = byte;
  }
  link_.connect(this);
}

void Dp8390::reset() {
  command_ = kStop | 4u << kRemoteShift;
  interrupt_status_ = kResetDone;
  interrupt_mask_ = 0;
  transmit_configuration_ = data_configuration_ = 0;
  receive_configuration_ = 0;
  receive_status_ = transmit_status_ = missed_ = 0;
  remote_count_ = 0;
  update_interrupt();
}

void Dp8390::state(StateArchive& archive) {
  archive.field("command", command_);
  archive.field("page_start", page_start_);
  archive.field("page_stop", page_stop_);
  archive.field("boundary", boundary_);
  archive.field("current", current_);
  archive.field("transmit_page", transmit_page_);
  archive.field("transmit_status", transmit_status_);
  archive.field("transmit_count", transmit_count_);
  archive.field("remote_address", remote_address_);
  archive.field("remote_count", remote_count_);
  archive.field("interrupt_status", interrupt_status_);
  archive.field("interrupt_mask", interrupt_mask_);
  archive.field("receive_configuration", receive_configuration_);
  archive.field("transmit_configuration", transmit_configuration_);
  archive.field("data_configuration", data_configuration_);
  archive.field("receive_status", receive_status_);
  archive.field("missed", missed_);
  archive.bytes("physical", physical_);
  archive.bytes("multicast", multicast_);
  archive.bytes("ram", ram_);
  if (archive.loading()) update_interrupt();
}

void Dp8390::update_interrupt() {
  if (line_) line_((interrupt_status_ & interrupt_mask_ & ~kResetDone) != 0);
}

// --- Registers ---

u8 Dp8390::read(unsigned offset) {
  if (offset == 0) return command_;
  switch (command_ >> kPageShift8390) {
    case 0: return read_page0(offset);
    case 1:
      if (offset <= 6) return physical_[offset - 1];
      return offset == 7 ? current_ : multicast_[offset - 8];
    case 2: return read_page2(offset);
    default: return 0;
  }
}

u8 Dp8390::read_page0(unsigned offset) {
  switch (offset) {
    case 0x01: return 0;
    case 0x02: return current_;
    case 0x03: return boundary_;
    case 0x04: return transmit_status_;
    case 0x07: return interrupt_status_;
    case 0x08: return static_cast<u8>(remote_address_);
    case 0x09: return static_cast<u8>(remote_address_ >> 8);
    case 0x0A: return identity_[0];
    case 0x0B: return identity_[1];
    case 0x0C: return receive_status_;
    case 0x0F: return std::exchange(missed_, u8{0});
    default: return 0;
  }
}

u8 Dp8390::read_page2(unsigned offset) const {
  switch (offset) {
    case 0x01: return page_start_;
    case 0x02: return page_stop_;
    case 0x04: return transmit_page_;
    case 0x0C: return receive_configuration_;
    case 0x0D: return transmit_configuration_;
    case 0x0E: return data_configuration_;
    case 0x0F: return interrupt_mask_;
    default: return 0;
  }
}

void Dp8390::write(unsigned offset, u8 value) {
  if (offset == 0) return command(value);
  switch (command_ >> kPageShift8390) {
    case 0: return write_page0(offset, value);
    case 1:
      if (offset <= 6)
        physical_[offset - 1] = value;
      else if (offset == 7)
        current_ = value;
      else
        multicast_[offset - 8] = value;
      return;
    default: return;
  }
}

void Dp8390::write_page0(unsigned offset, u8 value) {
  const auto set_low = [value](u16& to) { to = static_cast<u16>((to & 0xFF00) | value); };
  const auto set_high = [value](u16& to) { to = static_cast<u16>((to & 0x00FF) | value << 8); };
  switch (offset) {
    case 0x01: page_start_ = value; break;
    case 0x02: page_stop_ = value; break;
    case 0x03:
      boundary_ = value;
      link_.receiver_ready();
      break;
    case 0x04: transmit_page_ = value; break;
    case 0x05: set_low(transmit_count_); break;
    case 0x06: set_high(transmit_count_); break;
    case 0x07:
      interrupt_status_ = static_cast<u8>(interrupt_status_ & ~(value & ~kResetDone));
      // Frames that would set the bit again wait outside of a full ring: a driver that acknowledges more than it has
      // read, as Linux's does under load, must hear of what is in it.
      if (listening() && !can_receive()) interrupt_status_ |= kReceived;
      update_interrupt();
      break;
    case 0x08: set_low(remote_address_); break;
    case 0x09: set_high(remote_address_); break;
    case 0x0A: set_low(remote_count_); break;
    case 0x0B: set_high(remote_count_); break;
    case 0x0C: receive_configuration_ = value & 0x3F; break;
    case 0x0D: transmit_configuration_ = value & 0x1F; break;
    case 0x0E: data_configuration_ = value & 0x7F; break;
    case 0x0F:
      interrupt_mask_ = value & 0x7F;
      update_interrupt();
      break;
    default: break;
  }
}

void Dp8390::command(u8 value) {
  if ((value & (kStop | kStart)) == 0) value |= command_ & (kStop | kStart);
  command_ = static_cast<u8>(value & ~kTransmit);
  if ((value & kStop) != 0) {
    interrupt_status_ |= kResetDone;
    return;
  }
  if ((value & kStart) == 0) return;
  interrupt_status_ = static_cast<u8>(interrupt_status_ & ~kResetDone);
  const unsigned remote = (value >> kRemoteShift) & kRemoteMask;
  if ((remote == kRemoteRead || remote == kRemoteWrite) && remote_count_ == 0) {
    interrupt_status_ |= kRemoteDone;
    update_interrupt();
  }
  if ((value & kTransmit) != 0) transmit();
  link_.receiver_ready();
}

void Dp8390::transmit() {
  constexpr std::size_t kMostBytes = 1536;  // six pages: what drivers set aside for a frame
  std::vector<u8> frame(std::min<std::size_t>(transmit_count_, kMostBytes));
  for (std::size_t i = 0; i < frame.size(); i++)
    frame[i] = memory_read(transmit_page_ * kPageBytes + static_cast<u32>(i));
  if ((transmit_configuration_ & kLoopback) == 0 && !frame.empty()) link_.send(frame);
  transmit_status_ = kTransmitted;
  interrupt_status_ |= kSent;
  update_interrupt();
}

// --- Local memory and remote DMA ---

u8 Dp8390::memory_read(u32 address) const {
  if (address < kPromBytes) return prom_[address];
  return address >= kRamBegin && address - kRamBegin < kRamBytes ? ram_[address - kRamBegin] : u8{0xFF};
}

void Dp8390::memory_write(u32 address, u8 value) {
  if (address >= kRamBegin && address - kRamBegin < kRamBytes) ram_[address - kRamBegin] = value;
}

// Remote DMA goes round in the receive ring, so that a frame over its end is read in one piece.
void Dp8390::advance_remote(unsigned bytes) {
  remote_address_ = static_cast<u16>(remote_address_ + bytes);
  if (remote_address_ == page_stop_ * kPageBytes) remote_address_ = static_cast<u16>(page_start_ * kPageBytes);
  remote_count_ = static_cast<u16>(remote_count_ > bytes ? remote_count_ - bytes : 0);
  if (remote_count_ != 0) return;
  interrupt_status_ |= kRemoteDone;
  update_interrupt();
}

// A transfer of words moves a word at a time, and the other byte of it is lost on a narrower access.
unsigned Dp8390::moved_by(unsigned width) const {
  constexpr u8 kWords = 1u << 0;
  constexpr unsigned kWordBytes = 2;
  return (data_configuration_ & kWords) != 0 ? std::max(width, kWordBytes) : width;
}

u32 Dp8390::read_data(unsigned width) {
  if (((command_ >> kRemoteShift) & kRemoteMask) != kRemoteRead || remote_count_ == 0) return 0;
  u32 value = 0;
  for (unsigned i = 0; i < width; i++) value |= u32{memory_read(remote_address_ + i)} << (i * 8);
  advance_remote(moved_by(width));
  return value;
}

void Dp8390::write_data(unsigned width, u32 value) {
  if (((command_ >> kRemoteShift) & kRemoteMask) != kRemoteWrite || remote_count_ == 0) return;
  for (unsigned i = 0; i < width; i++) memory_write(remote_address_ + i, static_cast<u8>(value >> (i * 8)));
  advance_remote(moved_by(width));
}

// --- Receiver ---

bool Dp8390::listening() const {
  return (command_ & (kStop | kStart)) == kStart && (receive_configuration_ & kMonitor) == 0 &&
         (transmit_configuration_ & kLoopback) == 0 && page_start_ < page_stop_;
}

unsigned Dp8390::free_pages() const {
  const unsigned size = page_stop_ - page_start_;
  // A current page outside of the ring comes of a driver's mistake: then there is no room.
  if (current_ < page_start_ || current_ >= page_stop_) return 0;
  // Drivers keep the boundary one page behind what they have read, and write the page before the ring's first for its
  // last one.
  const unsigned boundary = boundary_ < page_start_ || boundary_ >= page_stop_ ? page_stop_ - 1u : boundary_;
  return boundary > current_ ? boundary - current_ : size - (current_ - boundary);
}

unsigned Dp8390::pages_for(std::size_t length) const {
  return static_cast<unsigned>((length + kHeaderBytes + kFrameCheckBytes + kPageBytes - 1) / kPageBytes);
}

bool Dp8390::can_receive() const { return free_pages() > pages_for(kLongestFrame); }

bool Dp8390::accepts(std::span<const u8> frame) const {
  if ((receive_configuration_ & kPromiscuous) != 0) return true;
  if (is_broadcast(frame)) return (receive_configuration_ & kAcceptBroadcast) != 0;
  if (!is_multicast(frame)) return is_for(frame, physical_);
  constexpr unsigned kHashShift = 26;
  const u32 hash = ethernet_crc(frame.first(kMacBytes)) >> kHashShift;
  return (receive_configuration_ & kAcceptMulticast) != 0 && (multicast_[hash >> 3] & 1u << (hash & 7)) != 0;
}

void Dp8390::receive(std::span<const u8> frame) {
  if (!listening() || frame.size() < kShortestFrame || frame.size() > kLongestFrame || !accepts(frame)) return;
  const unsigned pages = pages_for(frame.size());
  // The page at the boundary is the host's: a frame that would reach it is not taken.
  if (free_pages() <= pages) {
    interrupt_status_ |= kOverwrite;
    if (missed_ < 0xFF) missed_++;
    if ((missed_ & kCounterHalf) != 0) interrupt_status_ |= kCounter;
    return update_interrupt();
  }
  unsigned next = current_ + pages;
  if (next >= page_stop_) next -= page_stop_ - page_start_;
  receive_status_ = static_cast<u8>(kIntact | (is_multicast(frame) ? kPhysicalOrNot : 0));
  const auto count = static_cast<u16>(frame.size() + kHeaderBytes);
  const u8 header[kHeaderBytes] = {receive_status_, static_cast<u8>(next), static_cast<u8>(count),
                                   static_cast<u8>(count >> 8)};
  u32 at = current_ * kPageBytes;
  const auto put = [&](u8 byte) {
    memory_write(at++, byte);
    if (at == page_stop_ * kPageBytes) at = page_start_ * kPageBytes;
  };
  for (const u8 byte : header) put(byte);
  for (const u8 byte : frame) put(byte);
  current_ = static_cast<u8>(next);
  interrupt_status_ |= kReceived;
  update_interrupt();
}

ReceiveFilter Dp8390::receive_filter() const {
  return {(receive_configuration_ & kPromiscuous) != 0, (receive_configuration_ & kAcceptBroadcast) != 0,
          std::all_of(multicast_.begin(), multicast_.end(), [](u8 byte) { return byte == 0xFF; }), physical_};
}

}  // namespace relic86
