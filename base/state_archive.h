// Symmetric access to a component's state by field name: one state(StateArchive&) function saves, loads, hashes and
// dumps.
//
//   void Timer::state(StateArchive& archive) {
//     archive.field("counter", counter_);
//     archive.field("mode", mode_);           // integers, bools, enums, guest address types
//     archive.bytes("latch", latch_);         // fixed storage
//     archive.resizable("fifo", fifo_);       // std::vector<u8>
//     archive.group("channel0", [&] { ... }); // nested names
//   }
//
// Loading looks fields up by name; a field that the saved state lacks, or holds in another size, makes ok() false and
// leaves the variable alone. Whatever is loaded comes from a file: a component validates indexes and lengths after
// loading.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

class StateArchive {
 public:
  virtual ~StateArchive() = default;
  virtual bool loading() const = 0;

  template <class T>
  void field(std::string_view name, T& variable) {
    if constexpr (std::is_enum_v<T>) {
      auto raw = static_cast<std::underlying_type_t<T>>(variable);
      field(name, raw);
      variable = static_cast<T>(raw);
    } else if constexpr (std::is_same_v<T, bool>) {
      u8 raw = variable ? 1 : 0;
      value(name, std::span(&raw, 1));
      variable = raw != 0;
    } else if constexpr (std::is_integral_v<T>) {
      value(name, std::span(reinterpret_cast<u8*>(&variable), sizeof(T)));  // hosts are little-endian (asserted)
    } else {
      field(name, variable.raw);
    }
  }
  // Fixed-size storage: arrays, std::array, spans of trivially copyable elements.
  template <class Range>
  void bytes(std::string_view name, Range&& storage) {
    auto view = std::as_writable_bytes(std::span(storage));
    value(name, std::span(reinterpret_cast<u8*>(view.data()), view.size()));
  }
  virtual void resizable(std::string_view name, std::vector<u8>& storage) = 0;
  // Whether a state without this field ("hotplug.up" of a group) is being loaded (base/newer_state.h).
  virtual bool lacks(std::string_view /*name*/) { return false; }

  template <class Body>
  void group(std::string_view name, Body body) {
    enter(name);
    body();
    leave();
  }

 protected:
  virtual void value(std::string_view name, std::span<u8> storage) = 0;
  virtual void enter(std::string_view name) = 0;
  virtual void leave() = 0;
};

// Saves to bytes: a sequence of (u16 name length, full dotted name, u32 size, content).
class StateWriter final : public StateArchive {
 public:
  bool loading() const override { return false; }
  void resizable(std::string_view name, std::vector<u8>& storage) override { value(name, storage); }
  const std::vector<u8>& data() const { return data_; }

 protected:
  void value(std::string_view name, std::span<u8> storage) override;
  void enter(std::string_view name) override;
  void leave() override;

 private:
  std::string prefix_;
  std::vector<std::size_t> prefix_lengths_;
  std::vector<u8> data_;
};

// Loads what a StateWriter saved. Construct with parse(), which refuses malformed bytes; they must outlive the reader.
class StateReader final : public StateArchive {
 public:
  static Result<StateReader> parse(std::span<const u8> data);
  static Result<StateReader> parse(std::vector<u8>&& gone_at_once) = delete;
  bool loading() const override { return true; }
  void resizable(std::string_view name, std::vector<u8>& storage) override;
  bool lacks(std::string_view name) override;
  // Empty when every field asked for was found with the right size; else the first complaint.
  const std::string& complaint() const { return complaint_; }

 protected:
  void value(std::string_view name, std::span<u8> storage) override;
  void enter(std::string_view name) override;
  void leave() override;

 private:
  struct Field {
    std::string_view name;
    std::span<const u8> content;
    std::size_t hash;  // of the name
  };
  const Field* find(std::string_view name);  // below prefix_; null: it is missing

  std::string prefix_;  // and, while find() looks, the name
  std::vector<std::size_t> prefix_lengths_;
  std::vector<Field> fields_;  // in the order of the saved state
  std::vector<u32> by_name_;   // indexes of fields_, by hash, then by name
  std::size_t next_ = 0;       // the field after the last one found: mostly the one that is asked for next
  std::string complaint_;
};

// Feeds every field into a 64-bit hash (FNV-1a over 8-byte words): --state-hash.
class StateHasher final : public StateArchive {
 public:
  bool loading() const override { return false; }
  void resizable(std::string_view name, std::vector<u8>& storage) override { value(name, storage); }
  u64 hash() const { return hash_; }
  void mix(std::span<const u8> content);

 protected:
  void value(std::string_view name, std::span<u8> storage) override;
  void enter(std::string_view) override {}
  void leave() override {}

 private:
  u64 hash_ = 0xCBF29CE484222325u;
};

// Lists fields as "name = hex" lines, for the monitor.
class StateDumper final : public StateArchive {
 public:
  bool loading() const override { return false; }
  void resizable(std::string_view name, std::vector<u8>& storage) override { value(name, storage); }
  const std::string& text() const { return text_; }

 protected:
  void value(std::string_view name, std::span<u8> storage) override;
  void enter(std::string_view name) override;
  void leave() override;

 private:
  std::string prefix_;
  std::vector<std::size_t> prefix_lengths_;
  std::string text_;
};

}  // namespace relic86
