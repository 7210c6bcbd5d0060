#include "cpu/vendor_behaviour.h"

#include <string_view>

#include "cpu/cpuid.h"

namespace relic86 {

namespace {

constexpr VendorBehaviour kIntel{
    .wraps_at_4g = true,
    .selectors_take_2_bytes = true,
    .compare_order = CompareOrder::DestinationFirst,
    .repeat_fault_restores_flags = true,
    .reads_outer_frame_first = false,
    .indirect_call_stores_first = true,
    .bound_stops_at_lower = true,
    .double_shift_fill = DoubleShiftFill::Destination,
    .unmasked_store_skips_memory = true,
    .long_stores_in_parts = true,
    .faulting_mmx_store_clears_top = true,
    .masked_store_from_above = true,
    .checks_alignment_of_16_bytes = false,
    .checks_alignment_of_sha = true,
    .narrows_near_branches = false,
    .pause_ignores_rex_b = true,
    .repeat_truncates_first = true,
    .gather_extends_mask = true,
    .masked_store_checks_its_ends = true,
    .masked_elements_wrap = false,
    .checks_alignment_of_half_floats = false,
    .converts_before_storing = true,
    .extract_ignores_w = true,
    .checks_alignment_before_end = true,
    .checks_canonical_offsets = false,
    .far_pointers_of_64_bits = true,
    .syscall_outside_64_bit_mode = false,
    .sysret_checks_target = true,
    .sysenter_in_long_mode = true,
    .movsxd_reads_4_bytes = false,
    .loading_ss_hides_code_breakpoints = true,
};

// Up to the Pentium III: the P6 family still faults at the end of 4 GiB (SDM 3B 22.33.1).
constexpr VendorBehaviour intel_p6() {
  VendorBehaviour row = kIntel;
  row.wraps_at_4g = false;
  return row;
}
// The Pentium alone takes its operand size for selectors (SDM 3B 22.31.1).
constexpr VendorBehaviour intel_pentium() {
  VendorBehaviour row = intel_p6();
  row.selectors_take_2_bytes = false;
  return row;
}
constexpr VendorBehaviour kIntelP6 = intel_p6(), kIntelPentium = intel_pentium();

constexpr VendorBehaviour kAmd26{
    .wraps_at_4g = false,
    .selectors_take_2_bytes = false,
    .compare_order = CompareOrder::SourceFirst,
    .repeat_fault_restores_flags = false,
    .reads_outer_frame_first = true,
    .indirect_call_stores_first = false,
    .bound_stops_at_lower = false,
    .double_shift_fill = DoubleShiftFill::Source,
    .unmasked_store_skips_memory = false,
    .long_stores_in_parts = false,
    .faulting_mmx_store_clears_top = false,
    .masked_store_from_above = false,
    .checks_alignment_of_16_bytes = true,
    .checks_alignment_of_sha = false,
    .narrows_near_branches = true,
    .pause_ignores_rex_b = false,
    .repeat_truncates_first = false,
    .gather_extends_mask = false,
    .masked_store_checks_its_ends = false,
    .masked_elements_wrap = true,
    .checks_alignment_of_half_floats = true,
    .converts_before_storing = false,
    .extract_ignores_w = false,
    .checks_alignment_before_end = false,
    .checks_canonical_offsets = true,
    .far_pointers_of_64_bits = false,
    .syscall_outside_64_bit_mode = true,
    .sysret_checks_target = false,
    .sysenter_in_long_mode = false,
    .movsxd_reads_4_bytes = true,
    .loading_ss_hides_code_breakpoints = false,
};
constexpr VendorBehaviour amd_before_26() {
  VendorBehaviour row = kAmd26;
  row.compare_order = CompareOrder::DestinationFirst;
  return row;
}
constexpr VendorBehaviour kAmd = amd_before_26();
// QEMU's own model, which no part is, has Intel's far pointers under QEMU.
constexpr VendorBehaviour qemu64() {
  VendorBehaviour row = kAmd;
  row.far_pointers_of_64_bits = true;
  return row;
}
constexpr VendorBehaviour kQemu64 = qemu64();

}  // namespace

const VendorBehaviour& vendor_behaviour(const CpuModel& model) {
  const std::string_view vendor = model.vendor.data();
  if (vendor == "AuthenticAMD" || vendor == "HygonGenuine") {
    constexpr unsigned kQemuFamily = 15, kQemuModel = 107;  // others are meant to be a part
    const bool no_part = model.name == "qemu64" && model.family == kQemuFamily && model.model == kQemuModel;
    return model.family >= 26 ? kAmd26 : no_part ? kQemu64 : kAmd;
  }
  constexpr unsigned kFirstCore = 14;  // family 6: the Core models; those below are Pentium Pro to Pentium M
  if (model.family < 5) return kIntelP6;
  if (model.family == 5) return kIntelPentium;
  return model.family == 6 && model.model < kFirstCore ? kIntelP6 : kIntel;
}

}  // namespace relic86
