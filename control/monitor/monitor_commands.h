// The monitor's command functions by topic; the table in monitor.cpp names them.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "machine/machine.h"

namespace relic86::monitor {

using Words = std::span<const std::string>;

// monitor_memory.cpp
std::string examine_virtual(Machine& machine, Words words);   // x /FMT ADDR
std::string examine_physical(Machine& machine, Words words);  // xp /FMT ADDR
std::string print_value(Machine& machine, Words words);       // print /FMT EXPRESSION
std::string save_memory(Machine& machine, Words words);       // memsave, pmemsave ADDR SIZE FILE
std::string checksum(Machine& machine, Words words);          // sum ADDR SIZE
std::string translate(Machine& machine, Words words);         // gva2gpa ADDR
std::string show_translation(Machine& machine, Words words);  // translation ADDR
std::string port_read(Machine& machine, Words words);         // i /FMT PORT
std::string port_write(Machine& machine, Words words);        // o /FMT PORT VALUE

// monitor_info.cpp
std::string info(Machine& machine, Words words);

// monitor_paging.cpp
std::string info_mem(Machine& machine);
std::string info_tlb(Machine& machine);

// monitor_remote.cpp
std::string info_vnc(Machine& machine);
std::string set_password(Machine& machine, Words words);     // set_password vnc SECRET
std::string expire_password(Machine& machine, Words words);  // expire_password vnc TIME
std::string change_vnc(Machine& machine, Words words);       // change vnc password SECRET

// monitor_disks.cpp
std::string block_resize(Machine& machine, Words words);
std::string block_set_io_throttle(Machine& machine, Words words);
std::string snapshot_blkdev(Machine& machine, Words words);
std::string block_stream(Machine& machine, Words words);
std::string drive_mirror(Machine& machine, Words words);
std::string drive_backup(Machine& machine, Words words);
std::string block_job_cancel(Machine& machine, Words words);
std::string block_job_complete(Machine& machine, Words words);
std::string block_job_pause(Machine& machine, Words words);
std::string block_job_resume(Machine& machine, Words words);
std::string block_job_set_speed(Machine& machine, Words words);
std::string nbd_server_start(Machine& machine, Words words);
std::string nbd_server_add(Machine& machine, Words words);
std::string nbd_server_remove(Machine& machine, Words words);
std::string nbd_server_stop(Machine& machine, Words words);
std::string info_block_jobs(Machine& machine);
std::string info_blockstats(Machine& machine);

// A number as the monitor takes it (monitor_expression.cpp): decimal, 0x, 0 octal, 'c', $register, and + - & | ^ * / %
// ~ and brackets.
std::optional<u64> evaluate(Machine& machine, std::string_view text);

}  // namespace relic86::monitor
