#include "jit/listing.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpu/disassembler.h"
#include "jit/analyse/page_plan.h"
#include "jit/record/recorders.h"
#include "jit/translator.h"

namespace relic86::jit {

namespace {

struct NamedOperation {
  Op op;
  const char* name;
};
#define RELIC86_NAMED(op) \
  { Op::op, #op }
constexpr NamedOperation kOperations[] = {RELIC86_NAMED(Constant),
                                          RELIC86_NAMED(PatchedImmediate),
                                          RELIC86_NAMED(GetRegister),
                                          RELIC86_NAMED(SetRegister),
                                          RELIC86_NAMED(Address),
                                          RELIC86_NAMED(Load),
                                          RELIC86_NAMED(LoadForWrite),
                                          RELIC86_NAMED(Store),
                                          RELIC86_NAMED(LoadFar),
                                          RELIC86_NAMED(DescribeSegment),
                                          RELIC86_NAMED(ZeroExtend),
                                          RELIC86_NAMED(SignExtend),
                                          RELIC86_NAMED(Truncate),
                                          RELIC86_NAMED(HighHalf),
                                          RELIC86_NAMED(Add),
                                          RELIC86_NAMED(Adc),
                                          RELIC86_NAMED(Sub),
                                          RELIC86_NAMED(Sbb),
                                          RELIC86_NAMED(Neg),
                                          RELIC86_NAMED(And),
                                          RELIC86_NAMED(Or),
                                          RELIC86_NAMED(Xor),
                                          RELIC86_NAMED(Inc),
                                          RELIC86_NAMED(Dec),
                                          RELIC86_NAMED(Shl),
                                          RELIC86_NAMED(Shr),
                                          RELIC86_NAMED(Sar),
                                          RELIC86_NAMED(Rol),
                                          RELIC86_NAMED(Ror),
                                          RELIC86_NAMED(Rcl),
                                          RELIC86_NAMED(Rcr),
                                          RELIC86_NAMED(Shld),
                                          RELIC86_NAMED(Shrd),
                                          RELIC86_NAMED(Mul),
                                          RELIC86_NAMED(Imul),
                                          RELIC86_NAMED(Bt),
                                          RELIC86_NAMED(Bts),
                                          RELIC86_NAMED(Btr),
                                          RELIC86_NAMED(Btc),
                                          RELIC86_NAMED(Bsf),
                                          RELIC86_NAMED(Bsr),
                                          RELIC86_NAMED(SetCarry),
                                          RELIC86_NAMED(Literal),
                                          RELIC86_NAMED(Image),
                                          RELIC86_NAMED(Not),
                                          RELIC86_NAMED(PlainAdd),
                                          RELIC86_NAMED(Div),
                                          RELIC86_NAMED(Idiv),
                                          RELIC86_NAMED(Low),
                                          RELIC86_NAMED(High),
                                          RELIC86_NAMED(ByteSwap),
                                          RELIC86_NAMED(SetDirection),
                                          RELIC86_NAMED(Condition),
                                          RELIC86_NAMED(ZeroCount),
                                          RELIC86_NAMED(Invert),
                                          RELIC86_NAMED(Both),
                                          RELIC86_NAMED(Select),
                                          RELIC86_NAMED(Truth),
                                          RELIC86_NAMED(Push),
                                          RELIC86_NAMED(Pop),
                                          RELIC86_NAMED(Peek),
                                          RELIC86_NAMED(SetStackPointer),
                                          RELIC86_NAMED(NextInstruction),
                                          RELIC86_NAMED(TargetOf),
                                          RELIC86_NAMED(JumpTo),
                                          RELIC86_NAMED(CheckTarget),
                                          RELIC86_NAMED(JumpIf),
                                          RELIC86_NAMED(JumpIfCounting),
                                          RELIC86_NAMED(StringLoad),
                                          RELIC86_NAMED(StringStore),
                                          RELIC86_NAMED(Advance),
                                          RELIC86_NAMED(RepeatMove),
                                          RELIC86_NAMED(RepeatStore),
                                          RELIC86_NAMED(CompareExchange8),
                                          RELIC86_NAMED(Selector),
                                          RELIC86_NAMED(FlagsImage),
                                          RELIC86_NAMED(SetFlagsByte),
                                          RELIC86_NAMED(CheckTrusted),
                                          RELIC86_NAMED(SetFlags),
                                          RELIC86_NAMED(ClearInterrupts),
                                          RELIC86_NAMED(SetInterrupts),
                                          RELIC86_NAMED(LoadSegment),
                                          RELIC86_NAMED(VerifySegment),
                                          RELIC86_NAMED(SetZero),
                                          RELIC86_NAMED(CheckProtected),
                                          RELIC86_NAMED(AdjustLevel),
                                          RELIC86_NAMED(FastTransfer),
                                          RELIC86_NAMED(FarTransfer),
                                          RELIC86_NAMED(DirectTransfer),
                                          RELIC86_NAMED(TableRegister),
                                          RELIC86_NAMED(SystemRegister),
                                          RELIC86_NAMED(BitAddress),
                                          RELIC86_NAMED(PushAll),
                                          RELIC86_NAMED(PopAll),
                                          RELIC86_NAMED(Enter),
                                          RELIC86_NAMED(TableLoad),
                                          RELIC86_NAMED(CheckBounds),
                                          RELIC86_NAMED(CheckOverflow),
                                          RELIC86_NAMED(DecimalAdjust),
                                          RELIC86_NAMED(DivideDigits),
                                          RELIC86_NAMED(MultiplyDigits)};
#undef RELIC86_NAMED

std::string name_of(Op op) {
  const auto* const named = std::ranges::find(kOperations, op, &NamedOperation::op);
  return named != std::end(kOperations) ? named->name : fmt::format("Op{}", static_cast<unsigned>(op));
}

std::string node_text(const Node& node, std::size_t number) {
  std::string text = fmt::format("    v{} = {}.{}", number, name_of(node.op), node.size);
  for (const u16 operand : {node.a, node.b, node.c}) {
    if (operand != kNoValue) text += fmt::format(" v{}", operand);
  }
  if (node.op == Op::GetRegister || node.op == Op::SetRegister) text += fmt::format(" reg {}", node.reg);
  if (node.immediate != 0) text += fmt::format(" {:#x}", node.immediate);
  if (node.group != kNoGroup) text += fmt::format(" (group {}{:+})", node.group, node.offset);
  return text + '\n';
}

std::string mode_text(const Mode& mode, bool unshared) {
  std::string kinds;
  for (const u8 kind : mode.segments) kinds += fmt::format(" {:02x}", kind);
  return fmt::format("code{}{} stack{} {} segments{}{}{}{}{}", mode.code32 ? 32 : 16, mode.flat_code ? " flat" : "",
                     mode.stack32 ? 32 : 16, mode.user ? "user" : "supervisor", kinds, mode.aligned ? " aligned" : "",
                     mode.x87 ? " x87" : "", mode.sse ? " sse" : "", unshared ? " unshared" : "");
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
  if (insn.native != nullptr) return "    native\n";
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

Translator::Listing Translator::listing(BackingOffset first, CodeSize size, u32 eip) {
  Listing listing;
  const CodeBlock* const block = interpreter_.blocks().find(CodeBlocks::key_of(first, size));
  if (block == nullptr || block->straddles) return listing;
  const auto* translation = static_cast<const Translation*>(block->translation);
  for (; translation != nullptr; translation = translation->next_mode) {
    const Mode mode = modes_.mode_of(translation->mode);
    listing.text +=
        fmt::format("translation of {:08x}: {} instructions, {}{}\n", eip, translation->count,
                    mode_text(mode, translation->unshared), translation->code == nullptr ? ", refused" : "");
    if (translation->code == nullptr) continue;
    listing.count = std::max(listing.count, translation->count);
    BlockIr ir;
    ir.code32 = mode.code32;
    u32 offset = 0;
    for (u32 i = 0; i < translation->count; ++i) {
      InsnIr& insn = ir.insns.emplace_back();
      insn.insn = &block->insns[i];
      insn.offset = offset;
      record(insn, mode, cpu_.vendor(), cpu_.host_units());
      offset += insn.insn->length;
    }
    if (options_.share && !translation->unshared && !mode.aligned) plan_pages(ir, mode);
    for (const InsnIr& insn : ir.insns) {
      const std::span<const u8> bytes(store_.host(first + insn.offset), insn.insn->length);
      listing.text += fmt::format("  {:08x}  {}\n", eip + insn.offset,
                                  disassemble(bytes, eip + insn.offset, size, AssemblerSyntax::Intel).text);
      listing.text += ir_text(insn);
    }
    listing.text += host_text(*translation);
  }
  return listing;
}

}  // namespace relic86::jit
