// Registers (Intel 8259A datasheet 231468; ELCR: 82371SB datasheet 290550, 2.5.3):
//
//   port      R/W  register
//   20h, A0h  W    ICW1 (bit 4): 3 LTIM, 1 SNGL, 0 IC4;  OCW2 (bits 4:3 = 00): 7 R, 6 SL, 5 EOI, 2:0 level
//                  OCW3 (bits 4:3 = 01): 6 ESMM, 5 SMM, 2 P, 1 RR, 0 RIS
//   20h, A0h  R    IRR or ISR (OCW3); the poll byte after P
//   21h, A1h  W    ICW2 vector base 7:3, ICW3 cascade, ICW4: 4 SFNM, 1 AEOI;  else IMR (OCW1)
//   21h, A1h  R    IMR
//   4D0h-4D1h RW   ELCR: level-triggered inputs; 0, 1, 2, 8 and 13 are always edge-triggered
#include "devices/chipset/i8259.h"

#include <fmt/format.h>

namespace relic86 {

namespace {
constexpr unsigned kCascade = 2;
constexpr u8 kElcrWritable[2] = {0xF8, 0xDE};
}  // namespace

Result<> I8259Pair::attach(Attachment& board) {
  if (auto done = board.ports(*this, kMaster, 0x20, 2); !done) return done;
  if (auto done = board.ports(*this, kSlave, 0xA0, 2); !done) return done;
  return board.ports(*this, kElcr, 0x4D0, 2);
}

void I8259Pair::reset(ResetKind) {
  for (Chip& chip : chips_) {
    const u8 lines = chip.lines;
    chip = Chip{};
    chip.lines = lines;
  }
  update();
}

void I8259Pair::chip_state(StateArchive& archive, Chip& chip) {
  archive.field("lines", chip.lines);
  archive.field("request", chip.request);
  archive.field("service", chip.service);
  archive.field("mask", chip.mask);
  archive.field("vector_base", chip.vector_base);
  archive.field("edge_level", chip.edge_level);
  archive.field("lowest", chip.lowest);
  archive.field("init_step", chip.init_step);
  archive.field("expects_icw4", chip.expects_icw4);
  archive.field("single", chip.single);
  archive.field("all_level", chip.all_level);
  archive.field("auto_eoi", chip.auto_eoi);
  archive.field("rotate_on_auto_eoi", chip.rotate_on_auto_eoi);
  archive.field("special_mask", chip.special_mask);
  archive.field("special_fully_nested", chip.special_fully_nested);
  archive.field("read_service", chip.read_service);
  archive.field("poll", chip.poll);
  if (archive.loading()) {
    chip.lowest &= 7;
    if (chip.init_step > 4 || chip.init_step == 1) chip.init_step = 0;
    chip.vector_base &= 0xF8;
    chip.edge_level &= kElcrWritable[&chip == &chips_[1]];
    chip.request &= chip.lines;
  }
}

void I8259Pair::state(StateArchive& archive) {
  archive.group("master", [&] { chip_state(archive, chips_[0]); });
  archive.group("slave", [&] { chip_state(archive, chips_[1]); });
  archive.field("intr", intr_);
  if (archive.loading()) {
    intr_ = highest(chips_[0]) >= 0;
    if (output_) output_(intr_);  // whatever the processor had: it is told again
  }
}

u64 I8259Pair::read(RegionId region, u64 offset, unsigned) {
  if (region == kElcr) return chips_[offset & 1].edge_level;
  return read_chip(chips_[region == kSlave], (offset & 1) != 0);
}

void I8259Pair::write(RegionId region, u64 offset, unsigned, u64 value) {
  const u8 byte = static_cast<u8>(value);
  if (region == kElcr) {
    write_edge_level(chips_[offset & 1], byte & kElcrWritable[offset & 1]);
  } else if ((offset & 1) != 0) {
    write_data(chips_[region == kSlave], byte);
  } else {
    write_command(chips_[region == kSlave], byte);
  }
  update();
}

// --- Inputs and priorities ---

void I8259Pair::set_line(Chip& chip, unsigned input, bool level) {
  const u8 bit = static_cast<u8>(1u << input);
  if (level) {
    // An edge, or a level: either makes a request. An edge request is latched until acknowledged or the line falls.
    if ((chip.lines & bit) == 0 || (chip.level_bits() & bit) != 0) chip.request |= bit;
    chip.lines |= bit;
  } else {
    chip.lines &= static_cast<u8>(~bit);
    // An IR that falls before INTA is withdrawn (datasheet, "Edge and Level Triggered Modes").
    chip.request &= static_cast<u8>(~bit);
  }
}

// What has become level-triggered asks while its line is high; what has become edge-triggered waits for an edge.
void I8259Pair::write_edge_level(Chip& chip, u8 value) {
  chip.request &= static_cast<u8>(~chip.edge_level | value);
  chip.edge_level = value;
  chip.request |= chip.lines & chip.level_bits();
}

void I8259Pair::set_irq(unsigned input, bool level) {
  if (input > 15 || input == kCascade) return;
  set_line(chips_[input >> 3], input & 7, level);
  update();
}

u8 I8259Pair::pending(const Chip& chip) const { return chip.request & static_cast<u8>(~chip.mask); }

int I8259Pair::highest(const Chip& chip) const {
  const u8 wanting = pending(chip);
  if (wanting == 0 || chip.init_step != 0) return -1;
  const bool nests_slave = &chip == &chips_[0] && chip.special_fully_nested;
  for (unsigned i = 1; i <= 8; i++) {
    const unsigned input = (chip.lowest + i) & 7;
    const u8 bit = static_cast<u8>(1u << input);
    const bool wants = (wanting & bit) != 0;
    // What is in service blocks itself and everything below, unless special mask mode is on and it is masked. Only the
    // slave may interrupt itself, with what it ranks higher (special fully nested mode).
    if ((chip.service & bit) != 0 && !(chip.special_mask && (chip.mask & bit) != 0)) {
      return wants && nests_slave && input == kCascade ? static_cast<int>(input) : -1;
    }
    if (wants) return static_cast<int>(input);
  }
  return -1;
}

void I8259Pair::update() {
  // The slave's INT is the master's input 2.
  set_line(chips_[0], kCascade, highest(chips_[1]) >= 0);
  const bool level = highest(chips_[0]) >= 0;
  if (level == intr_) return;
  intr_ = level;
  if (output_) output_(level);
}

u8 I8259Pair::take(Chip& chip, unsigned input) {
  const u8 bit = static_cast<u8>(1u << input);
  if ((chip.level_bits() & bit) == 0) chip.request &= static_cast<u8>(~bit);
  if (chip.auto_eoi) {
    if (chip.rotate_on_auto_eoi) chip.lowest = static_cast<u8>(input);
  } else {
    chip.service |= bit;
  }
  return static_cast<u8>(chip.vector_base | input);
}

u8 I8259Pair::acknowledge() {
  constexpr unsigned kSpurious = 7;
  Chip& master = chips_[0];
  const int input = highest(master);
  u8 vector = static_cast<u8>(master.vector_base | kSpurious);
  if (input >= 0) {
    vector = take(master, static_cast<unsigned>(input));
    if (input == static_cast<int>(kCascade)) {
      Chip& slave = chips_[1];
      const int second = highest(slave);
      vector =
          second >= 0 ? take(slave, static_cast<unsigned>(second)) : static_cast<u8>(slave.vector_base | kSpurious);
      master.request &= static_cast<u8>(~(1u << kCascade));
      master.lines &= static_cast<u8>(~(1u << kCascade));
    }
  }
  update();
  return vector;
}

// --- Commands ---

void I8259Pair::end_of_interrupt(Chip& chip, unsigned input) { chip.service &= static_cast<u8>(~(1u << input)); }

void I8259Pair::write_command(Chip& chip, u8 value) {
  if ((value & 0x10) != 0) {  // ICW1
    const u8 lines = chip.lines, edge_level = chip.edge_level;
    chip = Chip{};
    chip.lines = lines;
    chip.edge_level = edge_level;
    chip.init_step = 2;
    chip.expects_icw4 = (value & 1) != 0;
    chip.single = (value & 2) != 0;
    chip.all_level = (value & 8) != 0;
    chip.request = lines & chip.level_bits();
    return;
  }
  if ((value & 0x08) != 0) {  // OCW3
    if ((value & 0x40) != 0) chip.special_mask = (value & 0x20) != 0;
    if ((value & 0x04) != 0) chip.poll = true;
    if ((value & 0x02) != 0) chip.read_service = (value & 1) != 0;
    return;
  }
  // OCW2
  const unsigned level = value & 7;
  const bool rotate = (value & 0x80) != 0, specific = (value & 0x40) != 0, eoi = (value & 0x20) != 0;
  if (!eoi) {
    if (specific && rotate)
      chip.lowest = static_cast<u8>(level);  // set priority
    else if (!specific)
      chip.rotate_on_auto_eoi = rotate;
    return;
  }
  unsigned input = level;
  if (!specific) {
    // One that is masked in special mask mode must be named to be ended (datasheet, "Special Mask Mode").
    const unsigned endable = chip.special_mask ? chip.service & ~chip.mask : chip.service;
    unsigned i = 1;
    while (i <= 8 && (endable & 1u << ((chip.lowest + i) & 7)) == 0) i++;
    if (i > 8) return;
    input = (chip.lowest + i) & 7;
  }
  end_of_interrupt(chip, input);
  if (rotate) chip.lowest = static_cast<u8>(input);
}

void I8259Pair::write_data(Chip& chip, u8 value) {
  switch (chip.init_step) {
    case 2:
      chip.vector_base = value & 0xF8;
      chip.init_step = chip.single ? (chip.expects_icw4 ? 4 : 0) : 3;
      break;
    case 3: chip.init_step = chip.expects_icw4 ? 4 : 0; break;  // ICW3: the board's cascade is wired
    case 4:
      chip.special_fully_nested = (value & 0x10) != 0;
      chip.auto_eoi = (value & 0x02) != 0;
      chip.init_step = 0;
      break;
    default: chip.mask = value; break;
  }
}

u8 I8259Pair::read_chip(Chip& chip, bool data_port) {
  if (chip.poll) {
    chip.poll = false;
    const int input = highest(chip);
    if (input < 0) return 0;
    // As in INTA, the slave's INT falls, so that what it asks for next is an edge for the master.
    if (&chip == &chips_[1]) set_line(chips_[0], kCascade, false);
    take(chip, static_cast<unsigned>(input));
    update();
    return static_cast<u8>(0x80 | input);
  }
  if (data_port) return chip.mask;
  return chip.read_service ? chip.service : chip.request;
}

std::string I8259Pair::describe() const {
  std::string text;
  for (unsigned i = 0; i < 2; i++) {
    const Chip& chip = chips_[i];
    text +=
        fmt::format("pic{}: irr={:02x} imr={:02x} isr={:02x} hprio={} irq_base={:02x} rr_sel={} elcr={:02x} fnm={}\n",
                    i, chip.request, chip.mask, chip.service, (chip.lowest + 1) & 7, chip.vector_base,
                    chip.read_service ? 1 : 0, chip.edge_level, chip.special_fully_nested ? 1 : 0);
  }
  return text;
}

}  // namespace relic86
