// Bad input that the lab finds is a caller's mistake of the command: exit code 2.
#pragma once

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
  }
}

}  // namespace norma::cli
