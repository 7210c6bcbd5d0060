// The DSDT's content: the board's devices as ACPI's names, in AML.
#pragma once

#include "devices/board/acpi_tables.h"
#include "devices/board/aml.h"

namespace relic86 {

aml::Bytes acpi_namespace(const AcpiBoard& board);

}  // namespace relic86
