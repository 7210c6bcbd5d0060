#include "jit/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cpu/disassembler.h"
#include "jit/analyse/flag_analysis.h"
#include "jit/analyse/page_plan.h"
#include "jit/record/recorders.h"
#include "jit/translator.h"

namespace relic86::jit {

namespace {

std::string register_text(unsigned number, unsigned bytes);

// Of 64-bit code, and byte registers with a REX prefix.
std::string long_register_text(unsigned number, unsigned bytes) {
  if (number == kRipRegister) return "block";
  if (number >= kLowByte) return register_text(number - kLowByte, 2) + 'l';
  constexpr const char* kSuffixes[] = {"", "b", "w", "", "d", "", "", "", ""};
  return fmt::format("r{}{}", number, kSuffixes[bytes]);
}

std::string register_text(unsigned number, unsigned bytes) {
  constexpr std::array<const char*, 8> kNames = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
  constexpr std::array<const char*, 8> kBytes = {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"};
  if (number == kNoRegister) return "-";
  if (number >= kNames.size()) return long_register_text(number, bytes);
  if (bytes == 1) return kBytes[number];
  return fmt::format("{}{}", bytes == 4 ? "e" : bytes == 8 ? "r" : "", kNames[number]);
}

std::string segment_text(unsigned number) {
  constexpr std::array<const char*, kSegmentRegisters> kNames = {"es", "cs", "ss", "ds", "fs", "gs"};
  return number < kNames.size() ? kNames[number] : "-";
}

// What an Address computes: ds:[ebx+esi*4+0x10].
std::string address_text(const Node& node) {
  std::string text;
  if (node.base != kNoRegister) text = register_text(node.base, node.address_size);
  if (node.index != kNoRegister)
    text +=
        fmt::format("{}{}*{}", text.empty() ? "" : "+", register_text(node.index, node.address_size), 1u << node.scale);
  if (node.immediate != 0 || text.empty()) text += fmt::format("{}{:#x}", text.empty() ? "" : "+", node.immediate);
  return fmt::format(" {}:[{}]", segment_text(node.segment), text);
}

std::string node_text(const Node& node, std::size_t number) {
  const OpInfo& row = info(node.op);
  std::string text = row.result == Kind::None ? "    " : fmt::format("    v{} = ", number);
  text += fmt::format("{}.{}", row.name, node.size);
  for (const u16 operand : {node.a, node.b, node.c}) {
    if (operand != kNoValue) text += fmt::format(" v{}", operand);
  }
  if (node.op == Op::Address) {
    text += address_text(node);
  } else {
    if (row.has(kOpSegment)) text += ' ' + segment_text(node.segment);
    if (row.reg == RegisterUse::Width) text += fmt::format(" from {}", node.reg);
    if (row.reg == RegisterUse::Table) text += node.reg != 0 ? " idtr" : " gdtr";
    if (row.reg != RegisterUse::None && row.reg < RegisterUse::Width) text += ' ' + register_text(node.reg, node.size);
    if (row.reg == RegisterUse::Pointer || row.reg == RegisterUse::Index) text += ' ' + register_text(node.reg, 4);
    if (row.immediate == ImmediateUse::Offset) {
      text += fmt::format(" {:+}", static_cast<i32>(node.immediate));
    } else if (row.immediate != ImmediateUse::None && (node.immediate != 0 || row.immediate == ImmediateUse::Value)) {
      text += fmt::format(" {:#x}", node.immediate);
    }
  }
  if (row.has(kOpAddressed) && node.address_size == 2) text += " (16-bit address)";
  if (node.op == Op::Address && node.size == 8 && node.address_size == 4) text += " (32-bit address)";
  if (node.group != kNoGroup) text += fmt::format(" (group {}{:+})", node.group, node.offset);
  return text + '\n';
}

// Who looks at the flags that an instruction defines.
std::string flags_text(const BlockIr& block, std::size_t at) {
  u32 defined = 0;
  for (const Node& node : block.insns[at].nodes) defined |= flags_defined(node);
  if (defined == 0) return {};
  const FlagNeed need = flag_need(block, at, defined);
  return fmt::format("    flags: {}\n", need.exact  ? "an exit may show them"
                                        : need.read ? "a later instruction reads them"
                                                    : "not needed");
}

std::string mode_text(const Mode& mode, bool unshared) {
  std::string kinds;
  for (const u8 kind : mode.segments) kinds += fmt::format(" {:02x}", kind);
  return fmt::format("code{}{} stack{} {} segments{}{}{}{}{}{}", mode.code32 ? 32 : 16, mode.flat_code ? " flat" : "",
                     mode.stack32 ? 32 : 16, mode.user ? "user" : "supervisor", kinds, mode.aligned ? " aligned" : "",
                     mode.x87 ? " x87" : "", mode.sse ? " sse" : "", mode.avx ? " avx" : "",
                     unshared ? " unshared" : "");
}

std::span<const u8> code_of(const Translation& translation) {
  std::span<const u8> code(translation.code, translation.code_size);
  while (!code.empty() && code.back() == 0) code = code.first(code.size() - 1);  // the room was an estimate
  return code;
}

std::string host_text(const Translation& translation) {
  std::string text;
  const std::span<const u8> code = code_of(translation);
  for (std::size_t at = 0; at < code.size();) {
    const auto address = reinterpret_cast<u64>(code.data() + at);
    const Disassembly line = disassemble_host(code.subspan(at), address);
    text += fmt::format("  {}{:12x}:  {}\n", at == translation.entry_offset ? '>' : ' ', address, line.text);
    at += line.length;
  }
  return text;
}

}  // namespace

std::string ir_text(const InsnIr& insn) {
  if (insn.cold) return "    cold\n";
  std::string text;
  for (std::size_t i = 0; i < insn.nodes.size(); ++i) text += node_text(insn.nodes[i], i);
  return text;
}

std::span<const u8> Translator::host_code(BackingOffset first, CodeSize size) {
  const CodeBlock* const block = interpreter_.blocks().find(CodeBlocks::key_of(first, size));
  const auto* translation = block == nullptr ? nullptr : static_cast<const Translation*>(block->translation);
  while (translation != nullptr && translation->unshared) translation = translation->next_mode;
  if (translation == nullptr || translation->code == nullptr) return {};
  return code_of(*translation).subspan(translation->entry_offset);
}

CodeListing Translator::listing(BackingOffset first, CodeSize size, u64 rip) {
  CodeListing listing;
  const CodeBlock* const block = interpreter_.blocks().find(CodeBlocks::key_of(first, size));
  if (block == nullptr || block->straddles) return listing;
  const auto* translation = static_cast<const Translation*>(block->translation);
  for (; translation != nullptr; translation = translation->next_mode) {
    listing.text += listing_of(*translation, size, rip);
    if (translation->region != nullptr) listing.text += listing_of(*translation->region, size, rip);
    if (translation->code == nullptr) continue;
    u32 bytes = 0;
    for (u32 i = 0; i < translation->count; ++i) bytes += block->insns[i].length;
    listing.instructions = std::max(listing.instructions, translation->count);
    listing.bytes = std::max(listing.bytes, bytes);
  }
  return listing;
}

// The translation's code begins at rip.
std::string Translator::listing_of(const Translation& translation, CodeSize size, u64 rip) const {
  const Mode mode = modes_.mode_of(translation.mode);
  const bool region = translation.is_region();
  std::string text =
      fmt::format("{} of {:08x}: {} instructions{}, {}{}\n", region ? "region" : "translation", rip, translation.count,
                  region ? fmt::format(" of {} blocks", translation.path.size()) : std::string(),
                  mode_text(mode, translation.unshared), translation.code == nullptr ? ", refused" : "");
  if (translation.code == nullptr) return text;
  const std::vector<bool> cold(translation.count + CodeBlocks::kMaxInstructions, false);
  std::vector<PathStep> path = translation.path;
  BlockIr ir = region ? region_ir(path, cold, mode) : block_ir(*translation.block, cold, mode);
  if (shares_checks(translation) && !mode.aligned) plan_pages(ir, mode);
  for (std::size_t i = 0; i < ir.insns.size(); ++i) {
    const InsnIr& insn = ir.insns[i];
    const u64 place = rip + static_cast<u64>(i64{static_cast<i32>(insn.offset)});
    const std::span<const u8> bytes(code_at(ir, insn.offset), insn.end - insn.offset);
    text += fmt::format("  {:08x}  {}\n", place, disassemble(bytes, place, size, AssemblerSyntax::Intel).text);
    text += ir_text(insn) + flags_text(ir, i);
  }
  return text + host_text(translation);
}

}  // namespace relic86::jit
