// GdbSession: registers, memory and queries.
#include <fmt/format.h>

#include <algorithm>

#include "control/gdb/gdb_registers.h"
#include "control/gdb/gdb_session.h"
#include "control/monitor/monitor.h"
#include "machine/guest_inputs.h"
#include "machine/guest_memory.h"

namespace relic86 {

// --- Registers ---

void GdbSession::read_registers(Text) {
  std::string text;
  for (unsigned number = 0; number < gdb_register_count(machine_.cpu()); number++)
    text += to_hex(std::span<const u8>(read_gdb_register(machine_.cpu(), number)));
  reply(text);
}

// All in order; what is missing at the end, or given as x, stays.
void GdbSession::write_registers(Text arguments) {
  for (unsigned number = 0; number < gdb_register_count(machine_.cpu()) && !arguments.empty(); number++) {
    const Text digits = arguments.substr(0, std::size_t{gdb_register_size(machine_.cpu(), number)} * 2);
    arguments.remove_prefix(digits.size());
    if (digits.starts_with('x')) continue;
    const auto bytes = from_hex(digits);
    if (!bytes || bytes->size() != gdb_register_size(machine_.cpu(), number)) return error();
    // Registers that cannot be written come back as they were read.
    (void)write_gdb_register(machine_.cpu(), number,
                             std::span(reinterpret_cast<const u8*>(bytes->data()), bytes->size()));
  }
  reply("OK");
}

void GdbSession::read_register(Text arguments) {
  const auto number = take_hex(arguments);
  if (!number || *number >= gdb_register_count(machine_.cpu())) return error();
  reply(to_hex(std::span<const u8>(read_gdb_register(machine_.cpu(), static_cast<unsigned>(*number)))));
}

void GdbSession::write_register(Text arguments) {
  const auto number = take_hex(arguments);
  if (!number || *number >= gdb_register_count(machine_.cpu()) || !take(arguments, '=')) return error();
  const auto bytes = from_hex(arguments);
  if (!bytes || !write_gdb_register(machine_.cpu(), static_cast<unsigned>(*number),
                                    std::span(reinterpret_cast<const u8*>(bytes->data()), bytes->size()))) {
    return error();
  }
  reply("OK");
}

// --- Memory ---

namespace {
constexpr std::string_view kBadAddress = "E14";  // EFAULT
}

void GdbSession::read_memory(Text arguments) {
  const auto address = take_hex(arguments);
  const auto size = address && take(arguments, ',') ? take_hex(arguments) : std::nullopt;
  if (!size) return error();
  std::vector<u8> bytes(std::min<u64>(*size, GdbPackets::kLongest / 2 - 1));
  // What can be read of it: gdb asks again for the rest.
  std::size_t have = 0;
  while (have < bytes.size()) {
    const u64 at = *address + have;
    const auto chunk = std::min<u64>(bytes.size() - have, kPageSize - (at & (kPageSize - 1)));
    if (!read_guest(machine_, physical_, at, std::span(bytes).subspan(have, chunk))) break;
    have += chunk;
  }
  if (have == 0 && !bytes.empty()) return reply(kBadAddress);
  reply(to_hex(std::span<const u8>(bytes).first(have)));
}

bool GdbSession::store(u64 address, std::span<const u8> bytes) {
  return write_guest(machine_, physical_, address, bytes);
}

void GdbSession::write_memory(Text arguments) {
  const auto address = take_hex(arguments);
  const auto size = address && take(arguments, ',') ? take_hex(arguments) : std::nullopt;
  const auto bytes = size && take(arguments, ':') ? from_hex(arguments) : std::nullopt;
  if (!bytes || bytes->size() != *size) return error();
  reply(store(*address, std::span(reinterpret_cast<const u8*>(bytes->data()), bytes->size())) ? "OK" : kBadAddress);
}

void GdbSession::write_binary(Text arguments) {
  const auto address = take_hex(arguments);
  const auto size = address && take(arguments, ',') ? take_hex(arguments) : std::nullopt;
  if (!size || !take(arguments, ':') || arguments.size() != *size) return error();
  reply(store(*address, std::span(reinterpret_cast<const u8*>(arguments.data()), arguments.size())) ? "OK"
                                                                                                    : kBadAddress);
}

// --- Threads ---

std::string GdbSession::thread_id(unsigned processor) const {
  return multiprocess_ ? fmt::format("p01.{:02x}", processor + 1) : fmt::format("{:02x}", processor + 1);
}

std::string GdbSession::listed_thread(unsigned processor) const {
  return fmt::format("{}{:x}", multiprocess_ ? "p1." : "", processor + 1);
}

// "THREAD", or "pPROCESS.THREAD", "pPROCESS": a number, 0 for any, -1 for all.
std::optional<GdbSession::ThreadName> GdbSession::take_thread(Text& text) const {
  const auto number = [&]() -> std::optional<u64> {
    if (!text.starts_with("-1")) return take_hex(text);
    text.remove_prefix(2);
    return 0;
  };
  if (take(text, 'p')) {
    const auto process = number();
    if (!process || *process > 1) return std::nullopt;
    if (!take(text, '.')) return ThreadName{.any = true};
  }
  const auto thread = number();
  if (!thread || *thread > machine_.processors().count()) return std::nullopt;
  if (*thread == 0) return ThreadName{.any = true};
  return ThreadName{.any = false, .processor = static_cast<unsigned>(*thread - 1)};
}

// "gTHREAD" for registers and memory, "cTHREAD" for what s and c move.
void GdbSession::set_thread(Text arguments) {
  const char purpose = arguments.empty() ? '\0' : arguments.front();
  if (!arguments.empty()) arguments.remove_prefix(1);
  const auto thread = take_thread(arguments);
  if (!thread || (purpose != 'g' && purpose != 'c')) return error();
  if (!thread->any) (purpose == 'g' ? thread_ : resumed_) = thread->processor;
  reply("OK");
}

void GdbSession::thread_alive(Text arguments) { take_thread(arguments) ? reply("OK") : error(); }

void GdbSession::current_thread(Text) { reply("QC" + listed_thread(thread_)); }

void GdbSession::first_threads(Text) {
  std::string list;
  for (unsigned n = 0; n < machine_.processors().count(); n++) list += (n == 0 ? "m" : ",") + listed_thread(n);
  reply(list);
}

void GdbSession::thread_name(Text arguments) {
  take(arguments, ',');
  const auto thread = take_thread(arguments);
  if (!thread) return error();
  const Vcpu& vcpu = machine_.processors()[thread->processor];
  const bool rests = vcpu.waits_for_startup || vcpu.cpu().state().halted;
  reply(to_hex(Text(fmt::format("CPU#{} [{}]", thread->processor, rests ? "halted " : "running"))));
}

// --- Queries ---

void GdbSession::supported(Text arguments) {
  multiprocess_ = arguments.find("multiprocess+") != Text::npos;
  reply(fmt::format("PacketSize={:x};qXfer:features:read+;QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+{}{}",
                    GdbPackets::kLongest, multiprocess_ ? ";multiprocess+" : "",
                    machine_.travel().enabled() ? ";ReverseStep+;ReverseContinue+" : ""));
}

// "ANNEX:OFFSET,LENGTH"
void GdbSession::transfer_features(Text arguments) {
  const auto colon = arguments.find(':');
  if (colon == Text::npos) return error();
  if (arguments.substr(0, colon) != "target.xml") return reply("E00");
  arguments.remove_prefix(colon + 1);
  const auto offset = take_hex(arguments);
  const auto length = offset && take(arguments, ',') ? take_hex(arguments) : std::nullopt;
  if (!length) return error();
  const std::string xml = gdb_target_description(machine_.cpu());
  const std::size_t first = std::min<u64>(*offset, xml.size());
  const std::size_t count = std::min<u64>({*length, xml.size() - first, GdbPackets::kLongest / 2});
  reply((first + count < xml.size() ? "m" : "l") + xml.substr(first, count));
}

void GdbSession::monitor_command(Text arguments) {
  const auto line = from_hex(arguments);
  if (!line) return error();
  const std::string answer = execute_monitor_line(machine_, *line);
  constexpr std::size_t kPiece = GdbPackets::kLongest / 2 - 1;
  for (std::size_t done = 0; done < answer.size(); done += kPiece)
    reply("O" + to_hex(Text(answer).substr(done, kPiece)));
  reply("OK");
}

void GdbSession::no_acknowledgements(Text) {
  reply("OK");
  packets_.stop_acknowledging();
}

void GdbSession::set_step_flags(Text arguments) {
  constexpr u64 kEnable = 1, kNoInterrupts = 2;
  if (arguments.starts_with("0x")) arguments.remove_prefix(2);
  const auto flags = take_hex(arguments);
  if (!flags || (*flags & kEnable) == 0 || *flags > 7) return error();
  machine_.debugger().mask_interrupts((*flags & kNoInterrupts) != 0 && !machine_.inputs().repeatable());
  reply("OK");
}

void GdbSession::set_memory_mode(Text arguments) {
  const auto mode = take_hex(arguments);
  if (!mode) return error();
  physical_ = *mode != 0;
  reply("OK");
}

}  // namespace relic86
