#include "machine/guest_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace relic86 {

namespace {

// Calls act(physical address, offset, size) for the pieces of each page, in order.
template <class Act>
bool each_page(Machine& machine, bool physical, u64 address, u64 size, Act act) {
  for (u64 done = 0; done < size;) {
    const u64 at = physical ? address + done : (address + done) & 0xFFFFFFFFu;
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

bool read_guest(Machine& machine, bool physical, u64 address, std::span<u8> into) {
  return each_page(machine, physical, address, into.size(), [&](PhysAddr where, u64 done, u64 chunk) {
    machine.bus().read_block(where, into.subspan(done, chunk));
  });
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
  std::FILE* file = std::fopen(name.c_str(), "wb");
  if (file == nullptr) return Error{fmt::format("could not open '{}': {}", name, std::strerror(errno))};
  const auto failed = [&] {
    return Error{fmt::format("writing memory to '{}' failed: {}", name, std::strerror(errno))};
  };
  std::array<u8, kPageSize> page{};
  Result<> result;
  for (u64 done = 0; done < size && result;) {
    const auto chunk = std::span(page).first(std::min<u64>(kPageSize, size - done));
    if (!read_guest(machine, physical, address + done, chunk)) {
      result = Error{fmt::format("Invalid addr {:#018x}/size {} specified", address, size)};
    } else if (std::fwrite(chunk.data(), 1, chunk.size(), file) != chunk.size()) {
      result = failed();
    }
    done += chunk.size();
  }
  if (std::fclose(file) != 0 && result) result = failed();
  return result;
}

}  // namespace relic86
