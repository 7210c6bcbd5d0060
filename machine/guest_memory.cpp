#include "machine/guest_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/output_file.h"

namespace relic86 {

namespace {

// Calls act(physical address, offset, size) for the pieces of each page, in order.
template <class Act>
bool each_page(Machine& machine, bool physical, u64 address, u64 size, Act act) {
  for (u64 done = 0; done < size;) {
    const u64 at = physical ? address + done : guest_linear(machine, address + done).raw;
    const u64 chunk = std::min<u64>(size - done, kPageSize - (at & (kPageSize - 1)));
    PhysAddr where(at);
    if (!physical) {
      const auto translated = machine.cpu().mmu().debug_translate(LinAddr(at));
      if (!translated) return false;
      where = *translated;
    }
    act(where, done, chunk);
    done += chunk;
  }
  return true;
}

}  // namespace

LinAddr guest_linear(Machine& machine, u64 address) {
  return LinAddr(machine.cpu().state().mode.long_mode ? address : static_cast<u32>(address));
}

bool read_guest(Machine& machine, bool physical, u64 address, std::span<u8> into) {
  return each_page(machine, physical, address, into.size(), [&](PhysAddr where, u64 done, u64 chunk) {
    machine.bus().read_block(where, into.subspan(done, chunk));
  });
}

bool read_guest_ram(Machine& machine, u64 address, std::span<u8> into) {
  bool backed = true;
  const bool mapped = each_page(machine, false, address, into.size(), [&](PhysAddr where, u64 done, u64 chunk) {
    backed = backed && machine.bus().page(where).read.kind == PageTarget::Kind::Backing;
    if (backed) machine.bus().read_block(where, into.subspan(done, chunk));
  });
  return mapped && backed;
}

bool write_guest(Machine& machine, bool physical, u64 address, std::span<const u8> from) {
  return each_page(machine, physical, address, from.size(), [&](PhysAddr where, u64 done, u64 chunk) {
    PhysicalBus& bus = machine.bus();
    const PageTarget& target = bus.page(where).read;
    if (target.kind != PageTarget::Kind::Backing) return bus.write_block(where, from.subspan(done, chunk));
    const BackingOffset at = target.backing + (where.raw & (kPageSize - 1));
    std::memcpy(bus.store().host(at), from.data() + done, chunk);
    if (bus.store().watched(at)) bus.store().note_write(at, chunk);
  });
}

Result<> save_guest_memory(Machine& machine, bool physical, u64 address, u64 size, const std::string& name) {
  constexpr u64 kMost = u64{4} << 30;
  if (size > kMost) return Error{"at most 4 GiB can be saved"};
  auto file = OutputFile::create(name);
  if (!file) return Error{fmt::format("could not open '{}': {}", name, file.message())};
  const auto trouble = [&](const Result<>& result) {
    return Error{fmt::format("writing memory to '{}' failed: {}", name, result.message())};
  };
  constexpr std::size_t kPiece = 16 * kPageSize;
  std::vector<u8> piece(kPiece);
  for (u64 done = 0; done < size;) {
    const auto chunk = std::span(piece).first(std::min<u64>(piece.size(), size - done));
    if (!read_guest(machine, physical, address + done, chunk))
      return Error{fmt::format("Invalid addr {:#018x}/size {} specified", address, size)};
    if (auto written = file.value().write(chunk); !written) return trouble(written);
    done += chunk.size();
  }
  if (auto committed = file.value().commit(); !committed) return trouble(committed);
  return {};
}

}  // namespace relic86
