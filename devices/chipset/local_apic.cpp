// Local APIC (SDM 3A 10.4.1 table 10-1; 10.12.1.2 for the MSRs 800h + offset / 10h of x2APIC mode)
//
//   offset     R/W  bits                                               reset
//   020h       RW   ID: 31:24                                          0
//   030h       R    version 14h, highest LVT entry 5
//   080h       RW   TPR: 7:0                                           0
//   090h       R    APR;  0A0h R PPR: 7:0
//   0B0h       W    EOI
//   0D0h       RW   LDR: 31:24;  0E0h RW DFR: 31:28                    0, FFFFFFFFh
//   0F0h       RW   SVR: 8 software enable, 7:0 vector                 FFh
//   100h-170h  R    ISR;  180h-1F0h R TMR;  200h-270h R IRR            0
//   280h       RW   ESR: 5 send, 6 receive illegal vector, 7 illegal register
//   300h 310h  RW   ICR: 7:0 vector, 10:8 delivery, 11 logical, 14 assert, 15 level, 19:18 shorthand; 63:56 target
//   320h       RW   LVT timer: 7:0 vector, 16 mask, 18:17 mode         10000h
//   330h 340h  RW   LVT thermal sensor, performance counters: 10:8 delivery
//   350h 360h  RW   LVT LINT0, LINT1: 13 polarity, 15 level            LINT0: 700h
//   370h       RW   LVT error
//   380h 390h  RW R timer's initial and current count;  3E0h RW divide: 3, 1:0
//
// Only dwords at multiples of 16 are registers. LINT0 starts as ExtINT, as firmware leaves it ("virtual wire"), so that
// systems and ROMs that know no APIC get the 8259A's interrupts.
//
// Every processor sees its own registers at its APIC base: the pages of all of them lead to the local APIC of whichever
// processor runs.
#include "devices/chipset/local_apic.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "devices/chipset/apic_bus.h"

namespace relic86 {

namespace {
enum Register : u32 {
  kId = 0x20,
  kVersion = 0x30,
  kTaskPriority = 0x80,
  kArbitration = 0x90,
  kProcessorPriority = 0xA0,
  kEoi = 0xB0,
  kRemoteRead = 0xC0,
  kLogicalDestination = 0xD0,
  kDestinationFormat = 0xE0,
  kSpurious = 0xF0,
  kService = 0x100,
  kTrigger = 0x180,
  kRequest = 0x200,
  kErrorStatus = 0x280,
  kCommandLow = 0x300,
  kCommandHigh = 0x310,
  kLocalVectors = 0x320,
  kLastLocalVector = 0x370,
  kInitialCount = 0x380,
  kCurrentCount = 0x390,
  kDivide = 0x3E0,
  kSelfIpi = 0x3F0,  // x2APIC only
};
constexpr u32 kVersionValue = 0x50014;
constexpr u32 kMask = 1u << 16, kLevel = 1u << 15, kLogical = 1u << 11;
constexpr u32 kWritable[] = {0x700FF, 0x107FF, 0x107FF, 0x1A7FF, 0x1A7FF, 0x100FF};
constexpr u32 kTscDeadlineMode = 1u << 18;
constexpr u32 kCommandWritable = 0xCCFFF;
constexpr u32 kSendIllegalVector = 1u << 5, kReceiveIllegalVector = 1u << 6, kIllegalRegister = 1u << 7;
constexpr u64 kAddressBits = ((u64{1} << 36) - 1) & ~u64{0xFFF};

ApicDelivery delivery_of(u32 entry) { return static_cast<ApicDelivery>(entry >> 8 & 7); }
}  // namespace

LocalApic::LocalApic(ApicBus& bus, Features features, unsigned number, u8 initial_id)
    : bus_(bus),
      features_(features),
      number_(number),
      initial_id_(initial_id),
      name_(number == 0 ? "local-apic" : fmt::format("local-apic.{}", number)) {
  bus_.add(*this);
}

Result<> LocalApic::attach(Attachment& board) {
  memory_ = &board.memory();
  mapping_ = memory_->new_key();
  timer_.attach(board.scheduler(), board.timer(*this, "timer", 0));
  return {};
}

void LocalApic::reset(ResetKind) {
  base_ = kDefaultBase | kBaseEnable | (number_ == 0 ? kBaseBootstrap : 0);
  id_ = initial_id_;
  reset_registers();
  map();
}

void LocalApic::init() {
  const u8 id = id_;
  reset_registers();
  id_ = id;
}

void LocalApic::reset_registers() {
  task_priority_ = 0;
  logical_destination_ = 0;
  destination_format_ = 0xFFFFFFFF;
  spurious_ = 0xFF;
  service_ = trigger_ = request_ = {};
  error_status_ = errors_ = 0;
  command_low_ = command_high_ = 0;
  local_vectors_.fill(kMask);
  if (number_ == 0) local_vectors_[kLint0Entry] = static_cast<u32>(ApicDelivery::ExtInt) << 8;
  external_ = false;
  timer_.reset();
  update();
}

void LocalApic::state(StateArchive& archive) {
  archive.field("base", base_);
  archive.field("id", id_);
  archive.field("task_priority", task_priority_);
  archive.field("logical_destination", logical_destination_);
  archive.field("destination_format", destination_format_);
  archive.field("spurious", spurious_);
  archive.bytes("service", service_);
  archive.bytes("trigger", trigger_);
  archive.bytes("request", request_);
  archive.field("error_status", error_status_);
  archive.field("errors", errors_);
  archive.field("command_low", command_low_);
  archive.field("command_high", command_high_);
  archive.bytes("local_vectors", local_vectors_);
  archive.field("lint0", lint0_);
  archive.field("external", external_);
  archive.field("intr", intr_);
  timer_.state(archive);
  if (!archive.loading()) return;
  base_ &= kAddressBits | kBaseBootstrap | kBaseEnable | (features_.x2apic ? kBaseX2apic : 0);
  if (!enabled()) base_ &= ~kBaseX2apic;
  for (unsigned i = 0; i < kEntries; i++) local_vectors_[i] &= kWritable[i];
  map();
  intr_ = deliverable() >= 0 || legacy_request();
  if (output_) output_(intr_);  // whatever the processor had: it is told again
}

// Registers answer below 4 GiB only, which is what 32-bit guests reach.
void LocalApic::map() {
  const u64 address = base_ & kAddressBits;
  const bool shown = visible() && address + kPageSize <= u64{1} << 32;
  memory_->map_movable(mapping_, mmio_range(std::string(name()), PhysAddr(shown ? address : kDefaultBase),
                                            shown ? kPageSize : 0, this, 0, 4, Priority::Overlay));
}

// --- Registers ---

u32 LocalApic::logical_id() const {
  return x2apic_mode() ? static_cast<u32>(id_ & ~15u) << 12 | 1u << (id_ & 15) : logical_destination_;
}

u32 LocalApic::read_register(u32 offset, bool& exists) const {
  exists = true;
  const u32 word = offset >> 4 & 7;
  if (offset >= kService && offset < kTrigger) return service_[word];
  if (offset >= kTrigger && offset < kRequest) return trigger_[word];
  if (offset >= kRequest && offset < kErrorStatus) return request_[word];
  if (offset >= kLocalVectors && offset <= kLastLocalVector) {
    const u32 entry = (offset - kLocalVectors) >> 4;
    return local_vectors_[entry];
  }
  switch (offset) {
    case kId: return x2apic_mode() ? id_ : static_cast<u32>(id_) << 24;
    case kVersion: return kVersionValue;
    case kTaskPriority: return task_priority_;
    case kArbitration: return x2apic_mode() ? (exists = false, 0) : processor_priority();
    case kProcessorPriority: return processor_priority();
    case kRemoteRead: return exists = !x2apic_mode(), 0;
    case kEoi: return exists = !x2apic_mode(), 0;
    case kLogicalDestination: return logical_id();
    case kDestinationFormat: return exists = !x2apic_mode(), destination_format_;
    case kSpurious: return spurious_;
    case kErrorStatus: return error_status_;
    case kCommandLow: return command_low_;
    case kCommandHigh: return exists = !x2apic_mode(), command_high_;
    case kInitialCount: return timer_.initial_count();
    case kCurrentCount: return timer_.current_count();
    case kDivide: return timer_.divide();
    default: return exists = false, 0;
  }
}

void LocalApic::write_register(u32 offset, u32 value) {
  if (offset >= kLocalVectors && offset <= kLastLocalVector) {
    return write_local_vector(static_cast<LocalVector>((offset - kLocalVectors) >> 4), value);
  }
  switch (offset) {
    case kId: id_ = static_cast<u8>(value >> 24); break;
    case kTaskPriority: task_priority_ = static_cast<u8>(value); break;
    case kEoi: return end_of_interrupt();
    case kLogicalDestination: logical_destination_ = value & 0xFF000000; break;
    case kDestinationFormat: destination_format_ = value | 0x0FFFFFFF; break;
    case kSpurious: return write_spurious(value);
    case kErrorStatus:
      error_status_ = errors_;
      errors_ = 0;
      break;
    case kCommandLow: command_low_ = value & kCommandWritable; return write_icr();
    case kCommandHigh: command_high_ = value & 0xFF000000; break;
    case kInitialCount: timer_.set_initial_count(value); break;
    case kDivide: timer_.set_divide(value); break;
    default: {
      bool exists = false;
      read_register(offset, exists);
      if (!exists) error(kIllegalRegister);
    }
  }
  update();
}

void LocalApic::set_priority_class(u8 value) { write_register(kTaskPriority, u32{value} << 4); }

void LocalApic::write_local_vector(LocalVector entry, u32 value) {
  u32 writable = kWritable[entry];
  if (entry == kTimerEntry && !features_.tsc_deadline) writable &= ~kTscDeadlineMode;
  local_vectors_[entry] = (value & writable) | (software_enabled() ? 0 : kMask);
  if (entry == kTimerEntry) timer_.set_mode(static_cast<ApicTimer::Mode>(local_vectors_[entry] >> 17 & 3));
  if (entry == kLint0Entry && lint0_ && (local_vectors_[entry] & (kLevel | kMask)) == kLevel) local_interrupt(entry);
  update();
}

// While software-disabled, all entries stay masked (SDM 3A 10.4.7.2).
void LocalApic::write_spurious(u32 value) {
  spurious_ = value & 0x1FF;
  if (!software_enabled()) {
    for (u32& entry : local_vectors_) entry |= kMask;
  }
  update();
}

// A page that shows no registers to the processor that runs (its APIC is off, or in x2APIC mode) is an open bus to it.
u64 LocalApic::read(RegionId, u64 offset, unsigned width) {
  LocalApic& own = bus_.running();
  return own.visible() ? own.read_own(offset, width) : all_ones(width);
}

void LocalApic::write(RegionId, u64 offset, unsigned width, u64 value) {
  if (LocalApic& own = bus_.running(); own.visible()) own.write_own(offset, width, value);
}

u64 LocalApic::read_own(u64 offset, unsigned width) {
  if ((offset & 15) + width > 4) return 0;
  bool exists = false;
  const u32 value = read_register(static_cast<u32>(offset & ~u64{15}), exists);
  if (!exists) error(kIllegalRegister);
  return value >> ((offset & 3) * 8) & all_ones(width);
}

void LocalApic::write_own(u64 offset, unsigned width, u64 value) {
  if ((offset & 15) == 0 && width == 4) write_register(static_cast<u32>(offset), static_cast<u32>(value));
}

bool LocalApic::set_base(u64 value) {
  const u64 known = kAddressBits | kBaseBootstrap | kBaseEnable | (features_.x2apic ? kBaseX2apic : 0);
  if ((value & ~known) != 0) return false;
  // The states of SDM 3A figure 10-27: x2APIC mode is entered from xAPIC mode and left by disabling.
  const bool enable = (value & kBaseEnable) != 0, x2apic = (value & kBaseX2apic) != 0;
  if (x2apic && (!enable || !enabled())) return false;
  if (!x2apic && enable && x2apic_mode()) return false;
  const bool was_enabled = enabled();
  base_ = value;
  if (was_enabled && !enable) reset_registers();
  // It begins again in its state after power-on (SDM 3A 10.4.7.1); in x2APIC mode the ID is the processor's for good.
  if (!enable || x2apic) id_ = initial_id_;
  map();
  update();
  return true;
}

// --- x2APIC: the same registers as MSRs; reserved bits are refused instead of ignored (SDM 3A 10.12.1.3) ---

bool LocalApic::read_msr(u32 number, u64& value) {
  if (!x2apic_mode()) return false;
  const u32 offset = (number - 0x800) << 4;
  bool exists = false;
  value = read_register(offset, exists);
  if (offset == kCommandLow) value |= u64{command_high_} << 32;
  return exists;
}

bool LocalApic::write_msr(u32 number, u64 value) {
  if (!x2apic_mode()) return false;
  const u32 offset = (number - 0x800) << 4;
  u64 writable = 0;
  if (offset >= kLocalVectors && offset <= kLastLocalVector) {
    writable = kWritable[(offset - kLocalVectors) >> 4];
    if (offset == kLocalVectors && features_.tsc_deadline) writable |= kTscDeadlineMode;
  }
  switch (offset) {
    case kTaskPriority:
    case kSelfIpi: writable = 0xFF; break;
    case kSpurious: writable = 0x1FF; break;
    case kCommandLow: writable = 0xFFFFFFFF00000000u | kCommandWritable; break;
    case kInitialCount: writable = 0xFFFFFFFF; break;
    case kDivide: writable = 0xB; break;
    case kEoi:
    case kErrorStatus: break;  // only 0
    default:
      if (writable == 0) return false;
  }
  if ((value & ~writable) != 0) return false;
  if (offset == kSelfIpi) {
    deliver({static_cast<u8>(value), ApicDelivery::Fixed, false, false, id_});
    return true;
  }
  if (offset == kCommandLow) command_high_ = static_cast<u32>(value >> 32);
  write_register(offset, static_cast<u32>(value));
  return true;
}

// --- Interrupts ---

int LocalApic::highest(const Bits& bits) {
  for (int word = 7; word >= 0; word--) {
    const u32 value = bits[static_cast<unsigned>(word)];
    if (value != 0) return word * 32 + 31 - std::countl_zero(value);
  }
  return -1;
}

u8 LocalApic::processor_priority() const {
  const int served = std::max(highest(service_), 0);
  return (task_priority_ >> 4) >= (served >> 4) ? task_priority_ : static_cast<u8>(served & 0xF0);
}

int LocalApic::deliverable() const {
  if (!enabled() || !software_enabled()) return -1;
  const int vector = highest(request_);
  return vector >> 4 > processor_priority() >> 4 ? vector : -1;
}

// The 8259A's request as the processor sees it: LINT0 is INTR itself while the APIC is off (SDM 3A 10.4.3).
bool LocalApic::legacy_request() const {
  if (!enabled()) return lint0_;
  const u32 entry = local_vectors_[kLint0Entry];
  return external_ || (lint0_ && (entry & kMask) == 0 && delivery_of(entry) == ApicDelivery::ExtInt);
}

void LocalApic::update() {
  const bool level = deliverable() >= 0 || legacy_request();
  if (level == intr_) return;
  intr_ = level;
  if (output_) output_(level);
}

u8 LocalApic::acknowledge() {
  const int vector = deliverable();
  if (vector < 0) {
    const bool legacy = legacy_request();
    external_ = false;
    const u8 answer = legacy && legacy_acknowledge_ ? legacy_acknowledge_() : static_cast<u8>(spurious_);
    update();
    return answer;
  }
  const auto word = static_cast<unsigned>(vector) / 32, bit = 1u << (static_cast<unsigned>(vector) & 31);
  request_[word] &= ~bit;
  service_[word] |= bit;
  update();
  return static_cast<u8>(vector);
}

void LocalApic::end_of_interrupt() {
  const int vector = highest(service_);
  if (vector < 0) return;
  const auto word = static_cast<unsigned>(vector) / 32, bit = 1u << (static_cast<unsigned>(vector) & 31);
  service_[word] &= ~bit;
  const bool level = (trigger_[word] & bit) != 0;
  update();
  if (!level) return;
  const u32 lint0 = local_vectors_[kLint0Entry];
  if (lint0_ && (lint0 & (kLevel | kMask)) == kLevel) local_interrupt(kLint0Entry);
  if (broadcast_) broadcast_(static_cast<u8>(vector));
}

void LocalApic::error(u32 bit) {
  const bool news = (errors_ & bit) == 0;
  errors_ |= bit;
  if (news) local_interrupt(kErrorEntry);
}

void LocalApic::set_request(u8 vector, bool level) {
  if (vector < 16) return error(kReceiveIllegalVector);
  const u32 bit = 1u << (vector & 31);
  request_[vector / 32] |= bit;
  trigger_[vector / 32] = level ? trigger_[vector / 32] | bit : trigger_[vector / 32] & ~bit;
  update();
}

void LocalApic::local_interrupt(LocalVector number) {
  const u32 entry = local_vectors_[number];
  if ((entry & kMask) != 0) return;
  const bool has_delivery = number != kTimerEntry && number != kErrorEntry;
  const bool level = number == kLint0Entry && (entry & kLevel) != 0;
  const u8 vector = static_cast<u8>(entry);
  switch (has_delivery ? delivery_of(entry) : ApicDelivery::Fixed) {
    case ApicDelivery::Fixed: set_request(vector, level); break;
    case ApicDelivery::Smi:
      if (smi_ != nullptr) smi_->raise_smi();
      break;
    case ApicDelivery::Nmi:
      if (nmi_) nmi_();
      break;
    case ApicDelivery::Init:
      if (init_) init_();
      break;
    default: break;  // ExtINT: a level, see legacy_request()
  }
}

void LocalApic::set_lint0(bool level) {
  const bool rises = level && !lint0_;
  lint0_ = level;
  if (rises && enabled()) local_interrupt(kLint0Entry);
  update();
}

void LocalApic::pulse_lint1() {
  if (enabled()) return local_interrupt(kLint1Entry);
  if (nmi_) nmi_();
}

// --- Messages ---

bool LocalApic::accepts(const ApicMessage& message) const {
  if (!enabled()) return false;
  if (message.destination == (message.wide ? 0xFFFFFFFF : 0xFF)) return true;
  if (!message.logical) return message.destination == id_;
  // Clusters of 16 processors, named by bits 31:16 (SDM 3A 10.12.10.2).
  if (x2apic_mode())
    return logical_id() >> 16 == message.destination >> 16 && (logical_id() & message.destination & 0xFFFF) != 0;
  const u32 own = logical_destination_ >> 24;
  if (destination_format_ >> 28 == 0xF) return (own & message.destination) != 0;
  return own >> 4 == message.destination >> 4 && (own & message.destination & 15) != 0;  // cluster model
}

bool LocalApic::deliver(const ApicMessage& message) {
  switch (message.delivery) {
    case ApicDelivery::Fixed:
    case ApicDelivery::LowestPriority:
      if (!software_enabled()) return false;
      set_request(message.vector, message.level);
      return true;
    case ApicDelivery::Smi:
      if (smi_ != nullptr) smi_->raise_smi();
      return true;
    case ApicDelivery::Nmi:
      if (nmi_) nmi_();
      return true;
    case ApicDelivery::Init:
      if (init_) init_();
      return true;
    case ApicDelivery::StartUp:
      if (startup_) startup_(message.vector);
      return true;
    case ApicDelivery::ExtInt:
      external_ = true;
      update();
      return true;
    default: return false;
  }
}

void LocalApic::write_icr() {
  ApicMessage message;
  message.vector = static_cast<u8>(command_low_);
  message.delivery = delivery_of(command_low_);
  message.logical = (command_low_ & kLogical) != 0;
  const bool fixed = message.delivery == ApicDelivery::Fixed || message.delivery == ApicDelivery::LowestPriority;
  if (fixed && message.vector < 16) return error(kSendIllegalVector);
  constexpr u32 kAssert = 1u << 14;
  if (message.delivery == ApicDelivery::Init && (command_low_ & (kLevel | kAssert)) == kLevel) return;  // de-assert
  if (message.delivery == ApicDelivery::ExtInt || message.delivery == ApicDelivery::RemoteRead) return;
  message.wide = x2apic_mode();
  message.destination = message.wide ? command_high_ : command_high_ >> 24;
  switch (command_low_ >> 18 & 3) {
    case 0: (void)bus_.deliver(message); break;
    case 1:  // self: fixed interrupts only
      if (message.delivery == ApicDelivery::Fixed) (void)deliver(message);
      break;
    case 2: bus_.broadcast(message, nullptr); break;
    case 3: bus_.broadcast(message, this); break;
  }
}

void LocalApic::event(u32, GuestTime) {
  if (!timer_.expire()) return;
  const u32 entry = local_vectors_[kTimerEntry];
  const u8 vector = static_cast<u8>(entry);
  const bool waits = (request_[vector / 32] >> (vector & 31) & 1) != 0;
  if (features_.keeps_ticks && waits && (entry & kMask) == 0) return timer_.owe();
  local_interrupt(kTimerEntry);
}

std::string LocalApic::describe() const {
  const auto list = [](const Bits& bits) {
    std::string text;
    for (unsigned vector = 0; vector < 256; vector++) {
      if ((bits[vector / 32] >> (vector & 31) & 1) != 0) text += fmt::format(" {}", vector);
    }
    return text.empty() ? " (none)" : text;
  };
  std::string text =
      fmt::format("lapic{}: base={:#x} id={} tpr={:02x} ppr={:02x} svr={:03x} ldr={:08x} dfr={:08x}\n", number_, base_,
                  id_, task_priority_, processor_priority(), spurious_, logical_id(), destination_format_);
  constexpr const char* kNames[] = {"timer", "thermal", "performance", "lint0", "lint1", "error"};
  for (unsigned i = 0; i < kEntries; i++) text += fmt::format("  lvt {:<12} {:08x}\n", kNames[i], local_vectors_[i]);
  text += fmt::format("  timer: divide={:x} initial={} current={} deadline={}\n", timer_.divide(),
                      timer_.initial_count(), timer_.current_count(), timer_.deadline());
  text += fmt::format("  icr={:08x}{:08x} esr={:02x}\n", command_high_, command_low_, error_status_);
  return text + "  isr:" + list(service_) + "\n  irr:" + list(request_) + "\n";
}

}  // namespace relic86
