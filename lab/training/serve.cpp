#include "lab/training/serve.h"

#include <ATen/Parallel.h>
#include <torch/version.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <string>

#include "lab/training/blas.h"
#include "lab/training/train.h"
#include "norma/machine.h"

namespace norma::lab {

void use_one_thread() {
  at::set_num_threads(1);
  at::set_num_interop_threads(1);
  use_one_blas_thread();
}

namespace {

using nlohmann::json;

TrialResult crashed(const std::string& reason) {
  TrialResult result;
  result.status = TrialStatus::kCrashed;
  result.reason = reason;
  return result;
}

bool write_line(std::FILE* out, const std::string& text) {
  return std::fputs((text + "\n").c_str(), out) >= 0 && std::fflush(out) == 0;
}

// What compiled this program, in the compilers' own names and numbers.
std::string compiler() {
  const auto version = [](int major, int minor, int patch) {
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
  };
#if defined(__clang__)
  return "Clang " + version(__clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  return "GCC " + version(__GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

std::string greeting() {
  return json{{"ready", true},
              {"versions",
               {{"torch", TORCH_VERSION},
                {"blas", blas_in_use()},
                {"compiler", compiler()},
                {"threads", at::get_num_threads()},
                {"isa", current_isa()}}}}
      .dump();
}

}  // namespace

const Dataset& Server::data(const DataSpec& spec) {
  TrialSpec whole;
  whole.data = spec;
  const std::string key = to_json(whole).at("data").dump();
  if (key != loaded_) {
    loaded_.clear();
    data_ = load(spec);
    loaded_ = key;
  }
  return data_;
}

TrialResult Server::run(const TrialSpec& spec) {
  try {
    return train(spec, data(spec.data));
  } catch (const std::exception& error) {
    return crashed(error.what());
  } catch (...) {
    return crashed("an exception of no known type");
  }
}

std::string Server::answer(const std::string& line) {
  json id;
  TrialResult result;
  try {
    const json request = json::parse(line);
    id = request.at("id");
    result = run(trial_spec_from_json(request.at("trial")));
  } catch (const std::exception& error) {
    result = crashed(error.what());
  }
  // A reason may quote bytes that are no UTF-8, of a path for instance.
  return json{{"id", id}, {"result", to_json(result)}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool Server::serve(std::istream& in, std::FILE* out) {
  if (!write_line(out, greeting())) return false;
  for (std::string line; std::getline(in, line);) {
    if (!write_line(out, answer(line))) return false;
  }
  return true;
}

}  // namespace norma::lab
