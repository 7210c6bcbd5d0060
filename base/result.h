// Result<T>: a value, or an error message that a user can act on (names the option, file, cause and mend).
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace relic86 {

struct Error {
  std::string message;
};

template <class T = void>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return content_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & {
    RELIC86_ASSERT(ok());
    return std::get<0>(content_);
  }
  const T& value() const& {
    RELIC86_ASSERT(ok());
    return std::get<0>(content_);
  }
  T&& value() && {
    RELIC86_ASSERT(ok());
    return std::get<0>(std::move(content_));
  }
  const std::string& message() const { return std::get<1>(content_).message; }
  Error error() const { return std::get<1>(content_); }

 private:
  std::variant<T, Error> content_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}

  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const std::string& message() const { return error_.message; }
  Error error() const { return error_; }

 private:
  bool failed_ = false;
  Error error_;
};

}  // namespace relic86
