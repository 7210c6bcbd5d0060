#include "machine/guest_dump.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "machine/guest_memory.h"

namespace relic86 {

namespace {

constexpr u64 kAbove4G = u64{1} << 32;
constexpr std::size_t kPiece = 1u << 20;

// Linux's elf_prstatus: how large it is, and where the thread's number and the registers stand in it.
struct StatusLayout {
  std::size_t size, thread, registers, width;
};
constexpr StatusLayout kStatus64{336, 32, 112, 8}, kStatus32{144, 24, 72, 4};

// In the order of Linux's user_regs_struct.
std::vector<u64> registers64(const Cpu& cpu) {
  const CpuState& s = cpu.state();
  const auto selector = [&](SegmentName name) { return u64{s.segment[name].selector.raw}; };
  return {s.gpr[15],
          s.gpr[14],
          s.gpr[13],
          s.gpr[12],
          s.gpr[kEbp],
          s.gpr[kEbx],
          s.gpr[11],
          s.gpr[10],
          s.gpr[9],
          s.gpr[8],
          s.gpr[kEax],
          s.gpr[kEcx],
          s.gpr[kEdx],
          s.gpr[kEsi],
          s.gpr[kEdi],
          ~u64{0},
          s.rip,
          selector(kCs),
          cpu.eflags(),
          s.gpr[kEsp],
          selector(kSs),
          s.segment[kFs].base,
          s.segment[kGs].base,
          selector(kDs),
          selector(kEs),
          selector(kFs),
          selector(kGs)};
}
std::vector<u64> registers32(const Cpu& cpu) {
  const CpuState& s = cpu.state();
  const auto selector = [&](SegmentName name) { return u64{s.segment[name].selector.raw}; };
  return {s.gpr[kEbx], s.gpr[kEcx],   s.gpr[kEdx],   s.gpr[kEsi],   s.gpr[kEdi],   s.gpr[kEbp],
          s.gpr[kEax], selector(kDs), selector(kEs), selector(kFs), selector(kGs), ~u64{0},
          s.rip,       selector(kCs), cpu.eflags(),  s.gpr[kEsp],   selector(kSs)};
}

template <class Type>
void append(std::vector<u8>& bytes, const Type& value) {
  const auto* const begin = reinterpret_cast<const u8*>(&value);
  bytes.insert(bytes.end(), begin, begin + sizeof value);
}

// The notes: a status of each processor.
std::vector<u8> notes_of(Machine& machine, bool wide) {
  const StatusLayout& layout = wide ? kStatus64 : kStatus32;
  std::vector<u8> notes;
  for (unsigned n = 0; n < machine.processors().count(); n++) {
    const LookAt guard(machine, n);
    std::vector<u8> status(layout.size);
    const u32 thread = n + 1;
    std::memcpy(status.data() + layout.thread, &thread, sizeof thread);
    std::size_t at = layout.registers;
    for (const u64 value : wide ? registers64(machine.cpu()) : registers32(machine.cpu())) {
      std::memcpy(status.data() + at, &value, layout.width);
      at += layout.width;
    }
    append(notes, Elf64_Nhdr{5, static_cast<u32>(layout.size), NT_PRSTATUS});
    constexpr char kOwner[8] = "CORE";
    append(notes, kOwner);
    notes.insert(notes.end(), status.begin(), status.end());
  }
  return notes;
}

struct Range {
  u64 address, size;
};

std::vector<Range> memory_of(Machine& machine) {
  const u64 ram = machine.options().ram_bytes, low = machine.board().low_ram();
  std::vector<Range> ranges{{0, low}};
  if (ram > low) ranges.push_back({kAbove4G, ram - low});
  return ranges;
}

template <class Header, class Segment>
std::vector<u8> headers_of(Machine& machine, bool wide, std::size_t notes) {
  const std::vector<Range> memory = memory_of(machine);
  Header header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = sizeof(Header) == sizeof(Elf64_Ehdr) ? ELFCLASS64 : ELFCLASS32;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = wide ? EM_X86_64 : EM_386;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Segment);
  header.e_phnum = static_cast<u16>(1 + memory.size());
  std::vector<u8> bytes;
  append(bytes, header);
  u64 at = sizeof header + sizeof(Segment) * (1 + memory.size());
  Segment note{};
  note.p_type = PT_NOTE;
  note.p_offset = static_cast<decltype(note.p_offset)>(at);
  note.p_filesz = note.p_memsz = static_cast<decltype(note.p_filesz)>(notes);
  append(bytes, note);
  at += notes;
  for (const Range& range : memory) {
    Segment load{};
    load.p_type = PT_LOAD;
    load.p_offset = static_cast<decltype(load.p_offset)>(at);
    load.p_paddr = static_cast<decltype(load.p_paddr)>(range.address);
    load.p_filesz = load.p_memsz = static_cast<decltype(load.p_filesz)>(range.size);
    append(bytes, load);
    at += range.size;
  }
  return bytes;
}

}  // namespace

Result<> dump_guest(Machine& machine, const std::function<Result<>(std::span<const u8>)>& sink) {
  const bool wide = machine.cpu().model().has_long_mode();
  const std::vector<u8> notes = notes_of(machine, wide);
  // What does not fit into 32 bits makes the wide form necessary for any processor.
  const bool large = wide || machine.options().ram_bytes > machine.board().low_ram();
  const std::vector<u8> headers = large ? headers_of<Elf64_Ehdr, Elf64_Phdr>(machine, wide, notes.size())
                                        : headers_of<Elf32_Ehdr, Elf32_Phdr>(machine, wide, notes.size());
  if (auto put = sink(headers); !put) return put;
  if (auto put = sink(notes); !put) return put;
  std::vector<u8> piece(kPiece);
  for (const Range& range : memory_of(machine)) {
    for (u64 done = 0; done < range.size; done += piece.size()) {
      const auto part =
          std::span(piece).first(static_cast<std::size_t>(std::min<u64>(piece.size(), range.size - done)));
      machine.bus().read_block(PhysAddr(range.address + done), part);
      if (auto put = sink(part); !put) return put;
    }
  }
  return {};
}

}  // namespace relic86
