// Registers (Creative, Sound Blaster Series Hardware Programming Guide, chapter 4, "CT1745 Mixer"):
//
//   00h      W   reset of the volumes
//   04h, 22h, 26h, 28h, 2Eh  RW  voice, master, MIDI, CD, line as a Sound Blaster Pro has them: 7:4 left, 3:0 right
//   0Ah      RW  2:0 microphone
//   30h-39h  RW  7:3 volume of master, voice, MIDI, CD, line; left and right: 2 dB a step, 31 is 0 dB
//   3Ah      RW  7:3 microphone;  3Bh RW 7:6 PC speaker
//   3Ch      RW  output switches; 3Dh, 3Eh RW input switches
//   3Fh-42h  RW  7:6 gain of input and output, left and right: 6 dB a step
//   43h      RW  0 automatic gain control off
//   44h-47h  RW  7:4 treble and bass, left and right (8 is flat)
//   80h      RW  interrupt: 0 IRQ 2, 1 IRQ 5, 2 IRQ 7, 3 IRQ 10
//   81h      RW  DMA: 0, 1, 3 of 8 bits, 5, 6, 7 of 16 bits
//   82h      R   interrupt status: 0 8-bit DMA, 1 16-bit DMA, 2 MPU-401; 7:4 the card's revision
//
// The datasheet's volumes after a reset are -14 dB for each of master, voice and MIDI, and none for the CD; a program
// that Creative's setup puts into AUTOEXEC.BAT raises them. Nobody runs it here, so that they begin at 0 dB.
#include "devices/sound/ct1745.h"

#include <cmath>

namespace relic86 {

namespace {

constexpr u8 kMaster = 0x30, kLine = 0x38, kMicrophone = 0x3A, kOutputGain = 0x41;
constexpr u8 kInterrupt = 0x80, kDma = 0x81, kStatus = 0x82;
constexpr u8 kRevision = 0x20;  // DSP 4.05
constexpr u8 kLoudest = 31 << 3;
constexpr unsigned kIrqs[] = {2, 5, 7, 10};

// Registers of a Sound Blaster Pro, and the pair that each stands for.
constexpr struct {
  u8 index, left;
} kPairs[] = {{0x04, 0x32}, {0x22, kMaster}, {0x26, 0x34}, {0x28, 0x36}, {0x2E, kLine}};

// The bits that exist; what is not listed holds nothing.
u8 mask_of(u8 index) {
  if (index >= kMaster && index <= kMicrophone) return 0xF8;
  if (index == 0x3B || (index >= 0x3F && index <= 0x42)) return 0xC0;
  if (index == 0x3C) return 0x1F;
  if (index == 0x3D || index == 0x3E) return 0x7F;
  if (index == 0x43) return 1;
  if (index >= 0x44 && index <= 0x47) return 0xF0;
  if (index == kInterrupt) return 0x0F;
  if (index == kDma) return 0xEB;
  return 0;
}

}  // namespace

void Ct1745::reset_volumes() {
  for (unsigned i = 0; i < kInterrupt; i++) registers_[i] = 0;
  for (const u8 source : {kMaster, kVoice, kMidi, kCd}) registers_[source] = registers_[source + 1u] = kLoudest;
  registers_[kOutputSwitches] = 0x1F;
  registers_[0x3D] = 0x15;
  registers_[0x3E] = 0x0B;
  for (unsigned i = 0x44; i <= 0x47; i++) registers_[i] = 0x80;
}

void Ct1745::reset(const Wiring& wiring) {
  index_ = status_ = 0;
  registers_ = {};
  reset_volumes();
  for (unsigned i = 0; i < 4; i++) {
    if (kIrqs[i] == wiring.irq) registers_[kInterrupt] = static_cast<u8>(1u << i);
  }
  registers_[kDma] = static_cast<u8>(1u << wiring.dma8 | 1u << wiring.dma16);
}

void Ct1745::state(StateArchive& archive) {
  archive.bytes("registers", registers_);
  archive.field("index", index_);
  archive.field("status", status_);
  if (!archive.loading()) return;
  for (unsigned i = 0; i < registers_.size(); i++) registers_[i] &= mask_of(static_cast<u8>(i));
  status_ &= kDma8 | kDma16 | kMpu;
}

u8 Ct1745::read() const {
  for (const auto& pair : kPairs) {
    if (pair.index == index_) return static_cast<u8>((registers_[pair.left] & 0xF0) | registers_[pair.left + 1u] >> 4);
  }
  if (index_ == 0x0A) return registers_[kMicrophone] >> 5;
  return index_ == kStatus ? kRevision | status_ : registers_[index_];
}

void Ct1745::write(u8 value) {
  if (index_ == 0) return reset_volumes();
  for (const auto& pair : kPairs) {
    if (pair.index != index_) continue;
    registers_[pair.left] = static_cast<u8>((value & 0xF0) | 8);
    registers_[pair.left + 1u] = static_cast<u8>((value & 0x0F) << 4 | 8);
    return;
  }
  if (index_ == 0x0A) registers_[kMicrophone] = static_cast<u8>((value & 7) << 5 | 0x18);
  registers_[index_] = value & mask_of(index_);
}

void Ct1745::set_interrupt(InterruptStatus source, bool pending) {
  status_ = static_cast<u8>(pending ? status_ | source : status_ & ~source);
}

unsigned Ct1745::irq() const {
  for (unsigned i = 0; i < 4; i++) {
    if ((registers_[kInterrupt] >> i & 1) != 0) return kIrqs[i];
  }
  return kIrqs[1];
}

unsigned Ct1745::dma8() const {
  for (const unsigned channel : {0u, 1u, 3u}) {
    if ((registers_[kDma] >> channel & 1) != 0) return channel;
  }
  return 1;
}

unsigned Ct1745::dma16() const {
  for (const unsigned channel : {5u, 6u, 7u}) {
    if ((registers_[kDma] >> channel & 1) != 0) return channel;
  }
  return dma8();
}

StereoFrame Ct1745::cd_gain() const {
  constexpr u8 kLeft = 4, kRight = 2;
  const StereoFrame volume = gain(kCd);
  const u8 switches = registers_[kOutputSwitches];
  return {(switches & kLeft) != 0 ? volume.left : 0, (switches & kRight) != 0 ? volume.right : 0};
}

StereoFrame Ct1745::gain(u8 source) const {
  const auto side = [&](unsigned right) {
    const unsigned volume = registers_[source + right] >> 3, master = registers_[kMaster + right] >> 3;
    if (volume == 0 || master == 0) return 0.0f;
    const double decibels =
        -2.0 * (62 - static_cast<double>(volume + master)) + 6.0 * (registers_[kOutputGain + right] >> 6);
    return static_cast<float>(std::pow(10.0, decibels / 20));
  };
  return {side(0), side(1)};
}

}  // namespace relic86
