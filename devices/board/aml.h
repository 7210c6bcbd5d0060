// Writing AML, the byte code in which ACPI tables describe a machine's devices (ACPI 6.4, chapter 20). Each function
// gives the bytes of one term; terms are put together by joining their bytes.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace relic86::aml {

using Bytes = std::vector<u8>;

Bytes join(std::initializer_list<Bytes> parts);

// A path of names of at most four characters: "\\_SB_.PCI0", "_CRS".
Bytes path(std::string_view text);
Bytes integer(u64 value);
Bytes string(std::string_view text);
Bytes buffer(const Bytes& content);
Bytes package(std::initializer_list<Bytes> elements);
Bytes package(const std::vector<Bytes>& elements);
// A compressed EISA identifier, "PNP0A03" (20.3.1 EISAID).
Bytes eisa_id(std::string_view id);

Bytes name(std::string_view name, const Bytes& value);
Bytes scope(std::string_view path, const Bytes& body);
Bytes device(std::string_view name, const Bytes& body);
Bytes method(std::string_view name, unsigned arguments, const Bytes& body);
// Bytes of PCI configuration space as variables of eight bits each.
Bytes configuration_bytes(std::string_view region, u8 offset, std::initializer_list<std::string_view> names);
// Dwords in I/O space, from an address on, as variables.
Bytes port_dwords(std::string_view region, u16 first, std::initializer_list<std::string_view> names);

// In methods.
Bytes argument(unsigned number);
Bytes give(const Bytes& value);                                     // Return
Bytes store(const Bytes& value, const Bytes& target);               // target = value
Bytes both(const Bytes& a, const Bytes& b);                         // a & b
Bytes either(const Bytes& a, const Bytes& b, const Bytes& target);  // target = a | b
Bytes when(const Bytes& condition, const Bytes& body);              // If
Bytes notify(const Bytes& device, u8 event);                        // Notify
Bytes dword_field(const Bytes& buffer, unsigned offset, std::string_view name);

// Resource descriptors (6.4), to be joined and closed by resources().
Bytes io_ports(u16 first, u8 count);
Bytes interrupt_line(u8 irq);   // ISA: edge, active high, exclusive
Bytes dma_channel(u8 channel);  // 8 bits wide
Bytes bus_numbers(u8 first, u8 last);
Bytes port_window(u16 first, u16 last);
Bytes memory_window(u32 first, u32 last);
Bytes wide_memory_window(u64 first, u64 last);
Bytes fixed_memory(u32 first, u32 size);
// Level, active high, shared.
Bytes shared_interrupts(std::initializer_list<u32> lines);
Bytes resources(const Bytes& descriptors);

}  // namespace relic86::aml
