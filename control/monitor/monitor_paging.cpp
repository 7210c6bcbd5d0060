// info mem and info tlb: what the page tables in memory say, laid out as QEMU prints it.
#include <fmt/format.h>

#include "control/monitor/monitor_commands.h"
#include "machine/mapped_pages.h"

namespace relic86::monitor {

// A line for each run of pages with the same rights.
std::string info_mem(Machine& machine) {
  if (!paging(machine.cpu().state())) return "PG disabled\n";
  std::string text;
  u64 start = 0, end = 0, rights = 0;
  const auto close_run = [&] {
    if (rights == 0) return;
    text += fmt::format("{:016x}-{:016x} {:016x} {}r{}\n", start, end, end - start,
                        (rights & kPageUser) != 0 ? 'u' : '-', (rights & kPageWritable) != 0 ? 'w' : '-');
  };
  for_each_mapping(machine.bus(), machine.cpu().state(), [&](const Mapping& mapping) {
    if (mapping.linear != end || mapping.rights != rights || end == 0) {
      close_run();
      start = mapping.linear;
      rights = mapping.rights;
    }
    end = mapping.linear + mapping.size;
  });
  close_run();
  return text;
}

// A line for each page, large or small.
std::string info_tlb(Machine& machine) {
  if (!paging(machine.cpu().state())) return "PG disabled\n";
  std::string text;
  for_each_mapping(machine.bus(), machine.cpu().state(), [&](const Mapping& mapping) {
    struct Letter {
      u64 bit;
      char letter;
    };
    static constexpr Letter kLetters[] = {{kPageNoExecute, 'X'},    {kPageGlobal, 'G'},   {kPageLarge, 'P'},
                                          {kPageDirty, 'D'},        {kPageAccessed, 'A'}, {kPageCacheDisable, 'C'},
                                          {kPageWriteThrough, 'T'}, {kPageUser, 'U'},     {kPageWritable, 'W'}};
    text += fmt::format("{:016x}: {:016x} ", mapping.linear, mapping.physical);
    for (const Letter& row : kLetters) text += (mapping.entry & row.bit) != 0 ? row.letter : '-';
    text += '\n';
  });
  return text;
}

}  // namespace relic86::monitor
