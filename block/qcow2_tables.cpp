#include "block/qcow2_tables.h"

#include <fmt/format.h>

#include <algorithm>

namespace relic86 {

Result<std::span<u8>> Qcow2Tables::get(u64 offset) {
  if (const auto known = tables_.find(offset); known != tables_.end()) {
    known->second.used = ++clock_;
    return std::span<u8>(known->second.content);
  }
  const u64 size = file_->size_bytes();
  if (offset % table_size_ != 0 || offset == 0 || offset > size || table_size_ > size - offset) {
    return Error{fmt::format(
        "{}: is damaged: a table lies at {:#x}, which is not a cluster of the file; 'qemu-img check' tells more",
        file_->path(), offset)};
  }
  std::vector<u8> content(static_cast<std::size_t>(table_size_));
  if (auto read = file_->read(offset, content); !read) return read.error();
  Table& table = tables_[offset];
  table.content = std::move(content);
  table.used = ++clock_;
  return std::span<u8>(table.content);
}

std::span<u8> Qcow2Tables::make(u64 offset) {
  Table& table = tables_[offset];
  table.content.assign(static_cast<std::size_t>(table_size_), 0);
  table.used = ++clock_;
  mark_dirty(offset);
  return table.content;
}

void Qcow2Tables::mark_dirty(u64 offset) {
  Table& table = tables_.at(offset);
  if (!table.dirty) dirty_count_++;
  table.dirty = true;
}

void Qcow2Tables::forget(u64 offset) {
  const auto known = tables_.find(offset);
  if (known == tables_.end()) return;
  if (known->second.dirty) dirty_count_--;
  tables_.erase(known);
}

Result<> Qcow2Tables::write_back() {
  std::vector<u64> offsets;
  for (const auto& [offset, table] : tables_) {
    if (table.dirty) offsets.push_back(offset);
  }
  std::sort(offsets.begin(), offsets.end());
  for (const u64 offset : offsets) {
    Table& table = tables_.at(offset);
    if (auto written = file_->write(offset, table.content); !written) return written;
    table.dirty = false;
    dirty_count_--;
  }
  return {};
}

void Qcow2Tables::trim(u64 bytes) {
  const std::size_t most = static_cast<std::size_t>(bytes / table_size_);
  if (tables_.size() <= most) return;
  std::vector<std::pair<u64, u64>> clean;  // when used, offset
  for (const auto& [offset, table] : tables_) {
    if (!table.dirty) clean.emplace_back(table.used, offset);
  }
  std::sort(clean.begin(), clean.end());
  // Half of it at once: not one by one with every access.
  const std::size_t excess = tables_.size() - most / 2;
  for (std::size_t i = 0; i < std::min(excess, clean.size()); i++) tables_.erase(clean[i].second);
}

}  // namespace relic86
