// Which host register holds what. Eight guest registers stay in theirs; the values of the present instruction that are
// not guest registers take temporaries, and give them back with their last use.
//
// R8 to R15 of 64-bit code stand in CpuState; a block that goes on to use one holds a copy of it in a temporary. Every
// write of a copy goes to CpuState as well, all eight bytes of it, so that exits, helpers and steps of flags find the
// register there, a copy is dropped for nothing, and no load meets a narrower store that is still under way, which host
// processors cannot forward.
#pragma once

#include <array>
#include <vector>

#include "jit/x64/block_part.h"

namespace relic86::jit::x64 {

class Addresses;
class SharedPages;

// Where a value of the present instruction is.
struct Value {
  // Stored: a guest register that has no host register now.
  enum Kind : u8 { Nothing, Guest, High, Stored, Temporary, Constant, Address } kind = Nothing;
  u8 reg = 0;  // guest register (High: 0 to 3), or host number of the temporary
  u64 constant = 0;
  u8 host_pointer = 0;  // Address: temporary that holds the host address of the access, 0 if none
  bool shared = false;  // Address: shared_place is where the access is
  x86::Mem shared_place{};
  u16 last_use = 0;

  bool in_guest() const { return kind == Guest || kind == High || kind == Stored; }
};

class RegisterAllocator : BlockPart {
 public:
  RegisterAllocator(BlockCode& block, SharedPages& pages, Addresses& addresses)
      : BlockPart(block), pages_(pages), addresses_(addresses) {}

  void begin_block();
  void begin_instruction();
  void begin_node() { busy_ = 0; }

  // --- Values ---
  Value& value(u16 id) { return values_[id]; }
  const Value& value(u16 id) const { return values_[id]; }
  u16 uses(u16 id) const { return uses_[id]; }
  bool is_guest(u16 id, u8 guest_register) const {
    return values_[id].kind == Value::Guest && values_[id].reg == guest_register;
  }
  void set_temporary(u16 id, u8 host);
  void set_guest(u16 id, u8 guest_register, Value::Kind kind = Value::Guest);
  // The value is in `to`, which is that guest register if `direct`, else a temporary.
  void set_result(u16 id, bool direct, u8 guest_register, const Gp& to);
  void release(u16 now);  // temporaries whose last use is over

  Gp in_register(u16 id, unsigned bytes);          // as it is: a guest register or temporary
  u8 in_temporary(u16 id, unsigned bytes);         // a temporary that may be changed; becomes the value's
  asmjit::Operand source(u16 id, unsigned bytes);  // register or immediate
  // Register, immediate, or the place of a guest register in CpuState.
  asmjit::Operand operand(u16 id, unsigned bytes);
  void move_to(const Gp& to, u16 id, unsigned bytes);
  // Older values of a guest register that are used later move away before it is written.
  void before_write(u8 guest_register, u16 now);
  // The one SetRegister that takes value id, if it is a plain register of the same width and nothing is in the way.
  bool destination(u16 id, u8& guest_register);
  // Of a result that is in no guest register: the one in CpuState to which it goes at once, else -1.
  i32 stored_in(u16 id) const;

  // --- Temporaries, by host number ---
  u8 take();
  void give(u8 host) { free_ |= 1u << host; }
  void reserve(const Gp& host) { free_ &= ~(1u << host.id()); }
  void free_temporaries();  // all but those of shared pages
  // What the addresses of the present instruction hold; bits.
  u32 pointers() const;

  // --- Guest registers ---
  bool has_host(u32 reg) const { return hosts_[reg] != kNoHost; }
  Gp guest(unsigned reg, unsigned bytes);  // of one that has a host register, and keeps it for the present node
  // How many instructions later the register is read next; 0: not in this block, or not before a handler is called.
  std::size_t next_read(u8 reg) const;
  void hold_for_reads(u8 reg);
  void hold(u8 reg, u8 host);
  void drop(u8 reg);
  void drop_copies();

  // Where everything is, for code that stands after the block's.
  struct Places {
    std::array<u8, kNoRegister> hosts;
    u32 free;
  };
  Places places() const { return {hosts_, free_}; }
  void restore(const Places& places);

 private:
  static constexpr u8 kNoHost = 0xFF;

  void count_uses();
  void note_registers();
  // Whether that register has a host register or not.
  bool only_setter(u16 id, u8& guest_register) const;
  bool drop_copy(std::size_t before);

  SharedPages& pages_;
  Addresses& addresses_;
  std::vector<Value> values_;
  std::vector<u16> uses_;
  u32 free_ = 0;  // temporaries
  // Of guest registers: where they are, and which the present node uses (bits).
  std::array<u8, kNoRegister> hosts_{0,       1,       2,       3,       8,       9,       6,       7,
                                     kNoHost, kNoHost, kNoHost, kNoHost, kNoHost, kNoHost, kNoHost, kNoHost};
  u32 busy_ = 0;
  std::vector<u16> registers_read_, registers_replaced_;  // by instruction, bits
};

}  // namespace relic86::jit::x64
