// x87, MMX, SSE and AVX instructions: the host's units hold the guest's registers and carry the guest's instructions
// out as they are. The first such instruction of a block sees to it that they do (the block before usually has); calls
// into C++ save them and bring them back if the block goes on to use them.
#include "base/assert.h"
#include "cpu/semantics/condition.h"
#include "jit/record/native_forms.h"
#include "jit/runtime/engine_area.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

using Special = NativeForm::Special;

constexpr std::size_t fx_offset(std::size_t field) { return offsetof(CpuState, fx) + field; }

// What FCMOVcc tests (SDM 2, FCMOVcc): ModRM.reg 0 to 3.
constexpr Condition kMoveConditions[4] = {Condition::Below, Condition::Equal, Condition::BelowOrEqual,
                                          Condition::ParityEven};

}  // namespace

void Emitter::native() {
  const NativeForm& form = *insn().native;
  if (form.special == Special::Nothing || (form.special == Special::Wait && !mode_.traps)) return;
  units_.hold();
  if (insn().flags_read != 0) (void)flags_.condition_code(static_cast<u32>(kMoveConditions[insn().operands.reg & 3]));
  units_.expect_trap();
  switch (form.special) {
    case Special::Wait: units_.wait_here(); return;
    case Special::LoadControl: load_unit_control(0x3F, 0, false); return;
    case Special::LoadMxcsr: load_unit_control(0x1F80, 0xFFFF0000, true); return;
    case Special::Initialise: initialise_x87(); return;
    case Special::EmptyMmx:
      units_.trap_here();
      a_.movd(kAddress.r32(), x86::mm0);  // TOP becomes 0 on hosts where EMMS leaves it
      a_.emms();
      return;
    case Special::ZeroUpper: zero_upper(); return;
    default: break;
  }
  if (form.writes_vector && insn().operands.vector256) units_.note_upper(Upper::Used);
  load_general();
  if (insn().nodes.back().a != kNoValue) {
    native_memory();
  } else {
    encode_register();
    store_general();
  }
  if (form.compares) capture_comparison();
  if (form.tracked) units_.point_here();
}

// Operands that the fast path does not reach: up to eight bytes are fetched by the load helper; of the others the whole
// instruction is the handler's.
void Emitter::native_memory() {
  const NativeForm& form = *insn().native;
  const Node& access = insn().nodes.back();
  const unsigned segment = memory_.segment_of(access);
  Mem place;
  // A store that its unmasked exception keeps from storing may not look at memory: the first check of a page would.
  const bool may_skip = mode_.traps && form.store && form.tracked;
  const SharedPage* const checked = pages_.find(access.group);
  const bool shares = !may_skip || (checked != nullptr && checked->writable);
  if (shares && memory_.shared_place(access, form.store, AddressForm::Operand, 0, segment, place)) {
    load_native(place);
    store_general();
    if (form.tracked) {
      addresses_.load(kAddress, access.a);
      units_.point_data_here(segment);
    }
    return;
  }
  const Label slow = a_.newLabel(), done = a_.newLabel(), join = a_.newLabel();
  const unsigned bytes = access.size;
  const bool fetched = !form.store && bytes <= kFetchedBytes;
  ExitPoint* exit = nullptr;
  if (fetched) {
    exit = memory_.access_exit(AddressForm::Operand, bytes, segment);
  } else {
    exit = exits_.add(ExitKind::Done, undone_before());
    exit->settles_flags = false;
  }
  addresses_.load(kAddress, access.a);
  u8 temporary = 0;
  const Missing missing = fetched && !units_.may_wait() ? Missing::Walk : Missing::Slow;
  load_native(memory_.translate(bytes, form.store, segment, slow, temporary, form.aligned, nullptr, missing));
  registers_.give(temporary);
  a_.bind(join);
  store_general();
  if (form.tracked) {
    // Of 32-bit code with a flat segment it is there still.
    if (mode_.code64 || !mode_.flat(segment)) addresses_.load(kAddress, access.a);
    units_.point_data_here(segment);
  }
  a_.bind(done);
  defer([=, this, index = index_, general = general_] {
    a_.bind(slow);
    index_ = index;
    if (!fetched) {
      exits_.call_thunk(thunks_.cold, exit);
      a_.jmp(done);
      return;
    }
    units_.wait_here();
    exits_.call_thunk(thunks_.load, exit);
    general_ = general;
    encode_memory(area(offsetof(EngineArea, value), bytes));
    if (insn().native->tracked) addresses_.load(kAddress, insn().nodes.back().a);
    a_.jmp(join);
  });
}

// FLD of four or eight bytes.
bool Emitter::loads_real() const {
  const NativeForm& form = *insn().native;
  const bool real = (form.opcode == 0xD9 && form.bytes == 4) || (form.opcode == 0xDD && form.bytes == 8);
  return form.unit == NativeForm::Unit::X87 && form.special == Special::None && !form.store && real &&
         insn().operands.reg == 0;
}

// The instruction, its operand in checked memory. Denormal numbers go to the x87 as numbers of 80 bits, which are
// normal: the host's microcode takes a hundred cycles for each of them otherwise.
void Emitter::load_native(const Mem& operand) {
  if (!options_.denormals || mode_.traps || !loads_real()) {
    encode_memory(operand);
    return;
  }
  constexpr i32 kSingleExponent = 0x7F800000, kDoubleExponent = 0x7FF00000;
  const unsigned bytes = insn().native->bytes;
  Mem top = operand.cloneAdjusted(static_cast<i32>(bytes) - 4);
  top.setSize(4);
  const Label tiny = a_.newLabel(), plain = a_.newLabel(), done = a_.newLabel();
  flags_.host_lost();
  a_.test(top, bytes == 4 ? kSingleExponent : kDoubleExponent);
  a_.jz(tiny);
  a_.bind(plain);
  encode_memory(operand);
  a_.bind(done);
  defer([=, this] {
    a_.bind(tiny);
    load_tiny(operand, plain);
    a_.jmp(done);
  });
}

// FLD of a number whose exponent is 0. Jumps to plain if it is 0, or if none of its kind has been met before: then the
// host sets DE in the status word.
void Emitter::load_tiny(const Mem& operand, const Label& plain) {
  constexpr u32 kDenormalOperand = 2;                                         // of the status word
  constexpr i32 kBias = 0x3FFF, kSingleLowest = -149, kDoubleLowest = -1074;  // the lowest bit's exponent
  const bool single = insn().native->bytes == 4;
  const Mem significand = area(offsetof(EngineArea, real), 8), exponent = area(offsetof(EngineArea, real) + 8, 2);
  const Gp kept[] = {x86::rax, x86::rcx, x86::rdx};
  const Label other = a_.newLabel(), normal = a_.newLabel();
  for (const Gp& each : kept) a_.push(each);
  a_.fnstsw(exponent);
  a_.test(exponent, kDenormalOperand);
  a_.jz(other);
  Mem bits = operand;
  bits.setSize(single ? 4 : 8);
  a_.mov(sized(x86::rax.id(), single ? 4 : 8), bits);
  a_.mov(x86::rdx, x86::rax);
  a_.shr(x86::rdx, single ? 31 : 63);
  a_.shl(x86::edx, 15);
  a_.btr(x86::rax, single ? 31 : 63);
  a_.bsr(x86::rcx, x86::rax);
  a_.jz(other);
  a_.lea(x86::edx, x86::ptr(x86::rdx, x86::rcx, 0, kBias + (single ? kSingleLowest : kDoubleLowest)));
  a_.xor_(x86::ecx, 63);
  a_.shl(x86::rax, x86::cl);
  a_.mov(significand, x86::rax);
  a_.mov(exponent, x86::dx);
  for (std::size_t i = std::size(kept); i-- > 0;) a_.pop(kept[i]);
  a_.jmp(normal);
  a_.bind(other);
  for (std::size_t i = std::size(kept); i-- > 0;) a_.pop(kept[i]);
  a_.jmp(plain);
  a_.bind(normal);
  Mem real = significand;
  real.setSize(10);
  a_.fld(real);
}

// FLDCW, LDMXCSR: a value that has a reserved bit is the interpreter's; so is one that unmasks an exception, unless the
// mode expects that.
void Emitter::load_unit_control(u32 masks, u32 reserved, bool mxcsr) {
  const Node& access = insn().nodes.back();
  const unsigned bytes = mxcsr ? 4 : 2, segment = memory_.segment_of(access);
  ExitPoint* const exit = memory_.access_exit(AddressForm::Operand, bytes, segment);
  const Label slow = a_.newLabel(), join = a_.newLabel(), other = a_.newLabel();
  addresses_.load(kAddress, access.a);
  u8 temporary = 0;
  const Mem from = memory_.translate(bytes, false, segment, slow, temporary);
  const Gp value = sized(temporary, 4);
  const auto fetch = [=, this](const Mem& source) {
    if (mxcsr) {
      a_.mov(value, source);
    } else {
      a_.movzx(value, source);
    }
  };
  fetch(from);
  a_.bind(join);
  if (!mode_.traps) {
    a_.mov(kAddress.r32(), value);
    a_.not_(kAddress.r32());
    a_.test(kAddress.r32(), masks);
    a_.jnz(other);
  }
  if (reserved != 0) {
    a_.test(value, reserved);
    a_.jnz(other);
  }
  const Mem image = area(offsetof(EngineArea, value), bytes);
  if (mxcsr) {
    a_.mov(image, value);
    a_.ldmxcsr(image);
  } else {
    // Bit 6 reads 1, bit 7 and the upper three 0.
    a_.and_(value, 0x1F3F);
    a_.or_(value, 0x40);
    a_.mov(image, value.r16());
    units_.trap_here();
    a_.fldcw(image);
  }
  registers_.give(temporary);
  defer([=, this, index = index_] {
    a_.bind(slow);
    index_ = index;
    units_.wait_here();
    exits_.call_thunk(thunks_.load, exit);
    fetch(area(offsetof(EngineArea, value), bytes));
    a_.jmp(join);
    a_.bind(other);
    exits_.leave(exit);
  });
}

void Emitter::initialise_x87() {
  a_.fninit();
  units_.forget_pointers();
  a_.mov(state(fx_offset(offsetof(FxState, opcode)), 2), 0);
  for (const std::size_t field : {offsetof(FxState, instruction), offsetof(FxState, data)}) {
    a_.mov(state(fx_offset(field), 8), 0);
  }
  if (!mode_.code64) return;
  for (const std::size_t kept : {offsetof(EngineArea, long_fip), offsetof(EngineArea, long_fdp)}) {
    a_.mov(area(kept, 8), 0);
  }
}

// Prefix, REX, escape bytes, opcode.
void Emitter::encode_opcode(unsigned rex) {
  units_.trap_here();
  const NativeForm& form = *insn().native;
  if (form.vex) return encode_vex(rex);
  if (form.prefix != 0) a_.db(form.prefix);
  if (rex != 0) a_.db(static_cast<u8>(0x40 | rex));
  if (form.map != OpcodeMap::OneByte) a_.db(0x0F);
  if (form.map == OpcodeMap::Escape38) a_.db(0x38);
  if (form.map == OpcodeMap::Escape3A) a_.db(0x3A);
  a_.db(form.opcode);
}

// The VEX prefix, of two bytes where that is enough, and the opcode (SDM 2 2.3.5). rex: as of a REX prefix.
void Emitter::encode_vex(unsigned rex) {
  constexpr unsigned kW = 8, kX = 2, kB = 1;
  const NativeForm& form = *insn().native;
  const NativeOperands& i = insn().operands;
  const unsigned implied = form.prefix == 0x66 ? 1 : form.prefix == 0xF3 ? 2 : form.prefix == 0xF2 ? 3 : 0;
  const unsigned map = static_cast<unsigned>(form.map) - static_cast<unsigned>(OpcodeMap::VexTwoByte) + 1;
  const unsigned last = (~u32{i.vex} & 15) << 3 | (i.vector256 ? 4u : 0u) | implied;
  const unsigned inverted = (~rex & 7) << 5;  // R, X, B
  if (map == 1 && (rex & (kW | kX | kB)) == 0) {
    a_.db(0xC5);
    a_.db(static_cast<u8>((inverted & 0x80) | last));
  } else {
    a_.db(0xC4);
    a_.db(static_cast<u8>(inverted | map));
    a_.db(static_cast<u8>(((rex & kW) != 0 ? 0x80u : 0u) | last));
  }
  a_.db(form.opcode);
}

// Outside of 64-bit code the upper halves of eight registers alone.
void Emitter::zero_upper() {
  if (mode_.code64) {
    units_.note_upper(Upper::Cleared);
    a_.vzeroupper();
    return;
  }
  constexpr u32 kRegisters = 8;
  units_.note_upper(Upper::Used);
  for (u32 i = 0; i < kRegisters; ++i) a_.vmovaps(x86::xmm(i), x86::xmm(i));
}

// The guest's general register that the instruction names; kNoRegister: none.
u8 Emitter::general_operand() const {
  const NativeForm& form = *insn().native;
  if (form.general_reg) return insn().operands.reg;
  return form.general_rm && insn().nodes.back().a == kNoValue ? insn().operands.rm : u8{kNoRegister};
}

// A general register without a host register takes part by way of a temporary.
void Emitter::load_general() {
  general_ = 0;
  const u8 reg = general_operand();
  if (reg == kNoRegister || reg < kPinned) return;
  const bool read = !insn().native->general_reg && !insn().native->store;
  if (read) registers_.hold_for_reads(reg);
  if (read && registers_.has_host(reg)) {
    general_ = static_cast<u8>(registers_.guest(reg, 8).id());
    return;
  }
  general_ = registers_.take();
  if (read) a_.mov(sized(general_, 8), gpr(reg, 8));
}

void Emitter::store_general() {
  if (general_ == 0 || (!insn().native->general_reg && !insn().native->store)) return;
  registers_.drop(general_operand());
  a_.mov(gpr(general_operand(), 8), sized(general_, 8));
}

// The host's number of an operand in a register.
unsigned Emitter::unit_operand(u8 number, bool general) const {
  if (!general) return insn().native->unit == NativeForm::Unit::X87 ? number & 7u : number;
  return number < kPinned ? kHostOfGuest[number] : general_;
}

void Emitter::encode_register() {
  const NativeForm& form = *insn().native;
  const NativeOperands& i = insn().operands;
  const unsigned reg = unit_operand(i.reg, form.general_reg), rm = unit_operand(i.rm, form.general_rm);
  encode_opcode((i.wide ? 8u : 0u) | (reg >= 8 ? 4u : 0u) | (rm >= 8 ? 1u : 0u));
  if (form.modrm) a_.db(static_cast<u8>(0xC0 | (reg & 7) << 3 | (rm & 7)));
  if (form.immediate) a_.db(i.immediate);
}

// operand: base, base + index, each with a displacement.
void Emitter::encode_memory(const Mem& operand) {
  const NativeForm& form = *insn().native;
  const NativeOperands& i = insn().operands;
  RELIC86_ASSERT(operand.hasBaseReg() && operand.shift() == 0);
  const unsigned reg = unit_operand(i.reg, form.general_reg);
  const unsigned base = operand.baseId(), index = operand.hasIndexReg() ? operand.indexId() : 4u;
  const i32 displacement = operand.offsetLo32();
  const bool small = displacement == static_cast<i8>(displacement);
  encode_opcode((i.wide ? 8u : 0u) | (reg >= 8 ? 4u : 0u) | (index >= 8 ? 2u : 0u) | (base >= 8 ? 1u : 0u));
  a_.db(static_cast<u8>((small ? 0x44 : 0x84) | (reg & 7) << 3));
  a_.db(static_cast<u8>((index & 7) << 3 | (base & 7)));
  if (small) {
    a_.db(static_cast<u8>(displacement));
  } else {
    a_.dd(static_cast<u32>(displacement));
  }
  if (form.immediate) a_.db(i.immediate);
}

// The comparison's flags are kept as they are: nothing that computes them again is left.
void Emitter::capture_comparison() {
  flags_.host_holds(kZF | kPF | kCF);
  if (!flags_.need(kArithmeticFlags).needed()) return;
  const FlagOperand kept = flags_.new_slot();
  a_.pushfq();
  a_.pop(kAddress);
  a_.mov(flags_.slot(kept.value), kAddress.r32());
  FlagStep step;
  step.op = Op::Literal;
  step.a = kept;
  flags_.add_step(step, true);
}

}  // namespace relic86::jit::x64
