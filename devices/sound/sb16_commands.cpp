// Commands of the DSP, version 4.xx (Sound Blaster Series Hardware Programming Guide, chapters 3 and 6):
//
//   10h            a sample, at once
//   14h, 1Ch       8-bit output by DMA, once or automatic; 90h, 91h the same in high-speed mode
//   16h 17h 1Fh    ADPCM of 2 bits: once, with a reference byte, automatic; 74h 75h 7Dh of 4 bits, 76h 77h 7Fh of 2.6
//   20h            a sample from the microphone; 24h, 2Ch, 98h, 99h input by DMA
//   34h-37h        all bytes are MIDI's until the DSP's reset;  38h one of them
//   40h            time constant; 41h, 42h rate of output, of input
//   48h            block size of automatic and high-speed commands
//   80h            silence of a length
//   B0h-CFh        DMA of 16 (Bxh) or 8 bits (Cxh): 3 input, 2 automatic; mode: 5 stereo, 4 signed; length
//   D0h D4h        pause and go on, 8 bits; D5h D6h 16 bits; D1h D3h speaker on, off; D8h which
//   D9h DAh        end of automatic mode with the block, 16 and 8 bits; 45h, 47h back to it
//   E0h E1h E3h E4h E8h  identification, version, copyright, test register
//   F2h F3h        interrupt of 8-bit, of 16-bit DMA
//
// Lengths are samples less one: bytes, or words of 16 bits, of each channel.
#include <algorithm>
#include <string_view>

#include "devices/sound/sb16.h"

namespace relic86 {

namespace {

constexpr std::string_view kCopyright = "COPYRIGHT (C) CREATIVE TECHNOLOGY LTD, 1992.";
constexpr u8 kNoSpeaker = 0, kSpeaker = 0xFF, kSilentInput = 0x80;
constexpr u32 kClock = 1'000'000;  // of the time constant, Hz

}  // namespace

unsigned Sb16::argument_count(u8 command) {
  if (command >= 0xB0 && command <= 0xCF) return 3;
  switch (command) {
    case 0x05:
    case 0x0E:
    case 0x14:
    case 0x15:
    case 0x16:
    case 0x17:
    case 0x24:
    case 0x41:
    case 0x42:
    case 0x48:
    case 0x74:
    case 0x75:
    case 0x76:
    case 0x77:
    case 0x80: return 2;
    case 0x04:
    case 0x08:
    case 0x0F:
    case 0x10:
    case 0x38:
    case 0x40:
    case 0xE0:
    case 0xE2:
    case 0xE4:
    case 0xF9: return 1;
    default: return 0;
  }
}

void Sb16::take_command_byte(u8 value) {
  if (command_ == 0) {
    if (argument_count(value) == 0) return execute(value);
    command_ = value;
    arguments_taken_ = 0;
    return;
  }
  arguments_[arguments_taken_++] = value;
  if (arguments_taken_ < argument_count(command_)) return;
  const u8 command = command_;
  command_ = arguments_taken_ = 0;
  execute(command);
}

u32 Sb16::argument_word(unsigned first) const { return arguments_[first] | u32{arguments_[first + 1]} << 8; }

void Sb16::execute(u8 command) {
  if (command >= 0xB0 && command <= 0xCF) return execute_dma(command);
  switch (command) {
    case 0x10: return write_direct(arguments_[0]);
    case 0x20: return answer(kSilentInput);
    case 0x34:
    case 0x35:
    case 0x36:
    case 0x37: midi_mode_ = true; return;
    case 0x38: return mpu_.midi().put(scheduler_->now(), arguments_[0]);
    case 0x40: output_rate_ = std::clamp(kClock / (256u - arguments_[0]), kLowestRate, kHighestRate); return;
    case 0x41:
    case 0x42:
      output_rate_ = std::clamp<u32>(u32{arguments_[0]} << 8 | arguments_[1], kLowestRate, kHighestRate);
      return;
    case 0x45:
    case 0x47: transfer_.automatic = transfer_.kind != Transfer::Kind::None; return;
    case 0x48: old_block_ = argument_word(0) + 1; return;
    case 0xD0:
    case 0xD5: return pause(true);
    case 0xD4:
    case 0xD6: return pause(false);
    case 0xD1: speaker_on_ = true; return;
    case 0xD3: speaker_on_ = false; return;
    case 0xD8: return answer(speaker_on_ ? kSpeaker : kNoSpeaker);
    case 0xD9:
    case 0xDA: transfer_.automatic = false; return;
    case 0xF2: return interrupt(Ct1745::kDma8);
    case 0xF3: return interrupt(Ct1745::kDma16);
    default: break;
  }
  if (command >= 0xE0 || command < 0x10) return execute_inquiry(command);
  execute_old_dma(command);
}

void Sb16::execute_inquiry(u8 command) {
  switch (command) {
    case 0x0F:  // a register of the signal processor that this card lacks
    case 0xF8:
    case 0xF9: return answer(0);
    case 0xE0: return answer(static_cast<u8>(~arguments_[0]));
    case 0xE1: answer(static_cast<u8>(config_.version >> 8)); return answer(static_cast<u8>(config_.version));
    case 0xE3:
      for (const char letter : kCopyright) answer(static_cast<u8>(letter));
      return answer(0);
    case 0xE4: test_register_ = arguments_[0]; return;
    case 0xE8: return answer(test_register_);
    default: return;
  }
}

// Commands of earlier cards: unsigned 8-bit samples of one channel.
void Sb16::execute_old_dma(u8 command) {
  Transfer transfer;
  transfer.kind = Transfer::Kind::Output;
  transfer.rate = output_rate_;
  transfer.block = argument_count(command) == 2 ? argument_word(0) + 1 : std::max<u32>(old_block_, 1);
  switch (command) {
    case 0x14:
    case 0x15:
    case 0x91: return begin(transfer);
    case 0x1C:
    case 0x90: transfer.automatic = true; return begin(transfer);
    case 0x24:
    case 0x99: transfer.kind = Transfer::Kind::Input; return begin(transfer);
    case 0x2C:
    case 0x98:
      transfer.kind = Transfer::Kind::Input;
      transfer.automatic = true;
      return begin(transfer);
    case 0x80: transfer.kind = Transfer::Kind::Silence; return begin(transfer);
    default: break;
  }
  using Width = CreativeAdpcm::Width;
  struct Row {
    u8 command;
    Width width;
    bool automatic, wants_reference;
  };
  static constexpr Row kPacked[] = {
      {0x16, Width::Bits2, false, false},   {0x17, Width::Bits2, false, true},   {0x1F, Width::Bits2, true, true},
      {0x74, Width::Bits4, false, false},   {0x75, Width::Bits4, false, true},   {0x7D, Width::Bits4, true, true},
      {0x76, Width::Bits2_6, false, false}, {0x77, Width::Bits2_6, false, true}, {0x7F, Width::Bits2_6, true, true}};
  for (const Row& row : kPacked) {
    if (row.command != command) continue;
    adpcm_.start(row.width, row.wants_reference);
    transfer.packed = true;
    transfer.automatic = row.automatic;
    return begin(transfer);
  }
}

void Sb16::execute_dma(u8 command) {
  constexpr u8 kInput = 8, kAutomatic = 4, kStereo = 0x20, kSigned = 0x10;
  Transfer transfer;
  transfer.kind = (command & kInput) != 0 ? Transfer::Kind::Input : Transfer::Kind::Output;
  transfer.words = command < 0xC0;
  transfer.automatic = (command & kAutomatic) != 0;
  transfer.stereo = (arguments_[0] & kStereo) != 0;
  transfer.is_signed = (arguments_[0] & kSigned) != 0;
  transfer.block = argument_word(1) + 1;
  transfer.rate = output_rate_;
  begin(transfer);
}

}  // namespace relic86
