// Power management by a chip that has the PM1 registers: what does not depend on where they stand.
#pragma once

#include <utility>

#include "devices/chipset/acpi_pm1.h"
#include "devices/chipset/power_management.h"

namespace relic86 {

class AcpiPower : public PowerManagement {
 public:
  void clock_interrupt() final { pm1_.raise(AcpiPm1::kRtc); }
  void on_suspend(std::function<void()> listener) final { pm1_.on_suspend(std::move(listener)); }
  void wake() final { pm1_.wake(); }
  bool suspended() const final { return pm1_.suspended(); }
  void press_power_button() final {
    pm1_.raise(AcpiPm1::kPowerButton);
    pm1_.wake();  // enabled or not: a suspended machine must not be out of reach
  }
  bool hears_power_button() const final { return pm1_.enabled(AcpiPm1::kPowerButton) && pm1_.sci_enabled(); }

 protected:
  AcpiPower(std::string_view chip, MachineControl& machine) : pm1_(chip, machine) {}
  ~AcpiPower() = default;

  AcpiPm1 pm1_;
};

}  // namespace relic86
