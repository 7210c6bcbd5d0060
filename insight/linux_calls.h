// Linux's system calls, for people who read traces: their names and what their arguments are.
#pragma once

#include <string_view>

#include "base/types.h"

namespace relic86 {

enum class LinuxAbi : u8 { I386, X86_64 };

// Empty: there is none with this number.
std::string_view linux_call_name(LinuxAbi abi, u64 number);

enum class LinuxArgument : u8 {
  Decimal,      // a signed int: descriptors, counts, process numbers
  Long,         // signed, as wide as a register: sizes and offsets
  Hexadecimal,  // addresses and flags
  Octal,        // modes of files
  Text,         // the address of a string that ends with 0
};

// The arguments of a call, as "name:kind name:kind ..": kind is d, l, x, o or s. Of calls that are not known, all six of
// Linux's.
std::string_view linux_call_arguments(std::string_view name);
// Takes the first of them off; false: there are no more.
bool next_linux_argument(std::string_view& arguments, std::string_view& name, LinuxArgument& kind);

}  // namespace relic86
