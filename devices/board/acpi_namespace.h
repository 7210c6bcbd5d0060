// The DSDT's content: the board's devices as ACPI's names, in AML.
#pragma once

#include "devices/board/acpi_tables.h"
#include "devices/board/aml.h"

namespace relic86 {

aml::Bytes acpi_namespace(const AcpiBoard& board);

// A pvpanic device, in the scope of the system bus.
aml::Bytes panic_device(u16 port);

}  // namespace relic86
