// Bad input that the lab finds is a caller's mistake of the command: exit code 2. So is a file or folder that the
// system does not let it look at.
#pragma once

#include <filesystem>
#include <utility>

#include "commands.h"
#include "lab/error.h"

namespace norma::cli {

template <typename Action>
auto checking_input(Action&& action) {
  try {
    return std::forward<Action>(action)();
  } catch (const lab::InputError& error) {
    throw UsageError(error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    throw UsageError(error.path1().string() + ": " + error.code().message());
  }
}

}  // namespace norma::cli
