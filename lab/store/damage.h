// What is said of a store that is damaged, or none of ours: the file, what is wrong with it and what to do, in one
// line.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "lab/error.h"
#include "lab/store/sqlite.h"

namespace norma::lab {

inline constexpr std::uint32_t kStoreApplication = 0x4e524d41;  // "NRMA"
inline constexpr std::uint32_t kStoreVersion = 2;

InputError damaged(const std::string& path, std::string what);

// Looks at the file's header with no database code, so that a stranger's file is told apart before anything could
// change it.
void check_header(const std::string& path);

// As an InputError where the file is to blame.
[[noreturn]] void rethrow(const std::string& path, const SqliteError& error);

// Reads from the store at this path: whatever it holds that no store of norma would hold is damage, named with the
// path.
template <typename Action>
auto reading(const std::string& path, Action&& action) {
  try {
    return action();
  } catch (const InputError&) {
    throw;
  } catch (const SqliteError& error) {
    rethrow(path, error);
  } catch (const nlohmann::json::exception& error) {
    throw damaged(path, error.what());
  } catch (const std::runtime_error& error) {
    throw damaged(path, error.what());
  }
}

}  // namespace norma::lab
