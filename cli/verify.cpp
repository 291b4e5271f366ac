// norma verify: prints what the verification found, as a table or as JSON.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.h"
#include "joined.h"
#include "lab/study/nearest.h"
#include "norma/machine.h"
#include "verification.h"
#include "verify_onnx.h"

namespace norma::cli {
namespace {

constexpr int kColumn = 11;

const char* column_title(reference::Operation operation) {
  return operation == reference::Operation::kInferenceBackward ? "inf. back." : reference::name_of(operation);
}

// A row of the table: an instruction set and a data type.
void print_rows(const Verification& found) {
  std::printf("  %-10s%-6s", "", "");
  for (const reference::Operation operation : reference::kOperations)
    std::printf("%*s", kColumn, column_title(operation));
  std::printf("%*s\n", kColumn, "exams");
  for (const DType dtype : kDTypes) {
    std::printf("  %-10s%-6s", "limit", norma::name_of(dtype));
    for (const reference::Operation operation : reference::kOperations) {
      std::printf("%*.3g", kColumn, reference::allowed_error(operation, dtype));
    }
    std::printf("\n");
  }
  const std::size_t columns = reference::kOperations.size();
  for (std::size_t first = 0; first < found.rows.size(); first += columns) {
    const VerifiedRow& head = found.rows[first];
    std::printf("  %-10s%-6s", head.isa.c_str(), norma::name_of(head.dtype));
    std::int64_t exams = 0;
    for (std::size_t i = first; i < first + columns; ++i) {
      const VerifiedRow& row = found.rows[i];
      const std::string mark = row.ok() ? "" : " <-";
      std::printf("%*.2f%s", kColumn - static_cast<int>(mark.size()), row.error, mark.c_str());
      exams += row.exams;
    }
    std::printf("%*lld\n", kColumn, static_cast<long long>(exams));
  }
}

void print_failures(const Verification& found) {
  for (const VerifiedRow& row : found.rows) {
    if (row.ok()) continue;
    std::printf("  FAILED on %s: %s: %.2f units, allowed %.3g\n", row.isa.c_str(), row.worst.c_str(), row.error,
                row.limit);
  }
  for (const VerifiedBits& bits : found.bits) {
    if (bits.ok()) continue;
    std::printf("  FAILED across %s: %lld of %lld results differ, the first %s\n", bits.across.c_str(),
                static_cast<long long>(bits.differing), static_cast<long long>(bits.compared), bits.first.c_str());
  }
}

// `in_use`: the instruction set that calls here run on.
void print_text(const Verification& found, const std::string& in_use) {
  std::printf("The kernels against the oracle (plain loops in extended precision), norma %s\n",
              std::string(version()).c_str());
  std::printf("In use here: %s, of %s; up to %d threads\n", in_use.c_str(), joined(available_isas()).c_str(),
              max_threads());
  std::printf("Largest error in units of roundoff (f32: 2^-24, f64: 2^-53, bf16: 2^-8, f16: 2^-11)\n\n");
  print_rows(found);
  std::printf("\n");
  for (const VerifiedBits& bits : found.bits) {
    if (bits.ok()) {
      std::printf("  The same bits on %s (%lld results)\n", bits.across.c_str(), static_cast<long long>(bits.compared));
    }
  }
  print_failures(found);
  std::printf("\n%s: %lld exams in %.1f s\n", found.ok() ? "All is well" : "NOT WELL",
              static_cast<long long>(found.exams()), found.seconds);
}

// JSON has no infinity: an error without bound is null.
nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

void print_json(const Verification& found, const std::string& in_use) {
  nlohmann::json rows = nlohmann::json::array();
  for (const VerifiedRow& row : found.rows) {
    rows.push_back({{"isa", row.isa},
                    {"dtype", norma::name_of(row.dtype)},
                    {"operation", reference::name_of(row.operation)},
                    {"exams", row.exams},
                    {"error", number(row.error)},
                    {"limit", row.limit},
                    {"worst", row.worst},
                    {"ok", row.ok()}});
  }
  nlohmann::json bits = nlohmann::json::array();
  for (const VerifiedBits& check : found.bits) {
    bits.push_back({{"across", check.across},
                    {"compared", check.compared},
                    {"differing", check.differing},
                    {"first", check.first},
                    {"ok", check.ok()}});
  }
  const nlohmann::json document{{"format", "norma-verify/1"}, {"version", std::string(version())},
                                {"in_use", in_use},           {"instruction_sets", found.isas},
                                {"threads", max_threads()},   {"errors", rows},
                                {"same_bits", bits},          {"exams", found.exams()},
                                {"seconds", found.seconds},   {"ok", found.ok()}};
  std::printf("%s\n", document.dump(2).c_str());
}

}  // namespace

void add_verify(CLI::App& app) {
  CLI::App* command = app.add_subcommand("verify", "Check the kernels against the oracle on this machine, in seconds");
  auto options = std::make_shared<VerificationOptions>();
  auto json = std::make_shared<bool>(false);
  command->add_option("--isa", options->isa, "Only this instruction set; by default every one this machine has");
  auto onnx = std::make_shared<std::string>();
  command
      ->add_option("--onnx", *onnx,
                   "Instead: run the normalizations of a folder of ONNX node tests, searched at every depth\n"
                   "(model.onnx beside test_data_set_*/input_*.pb and output_*.pb)")
      ->type_name("DIR");
  command->add_flag("--json", *json, "Print JSON instead of a table");
  command->footer(
      "Every operation runs on every instruction set, in every type, in both layouts, and is compared with\n"
      "plain loops in extended precision. With --onnx, ONNX's own tests decide; Debian has them as\n"
      "libonnx-testdata, in /usr/share/libonnx-testdata/data. Exit code 0: all is well; 1: an error above its\n"
      "limit, bits that differ or a test that fails; 2: a mistake on the command line.");
  command->callback([options, json, onnx] {
    const std::vector<std::string> isas = available_isas();
    if (!options->isa.empty() && std::ranges::find(isas, options->isa) == isas.end()) {
      const std::string near = lab::nearest(options->isa, isas);
      throw UsageError("--isa " + options->isa + ": this machine has " + joined(isas) +
                       (near.empty() ? "" : "; did you mean '" + near + "'?"));
    }
    if (!onnx->empty()) {
      if (!options->isa.empty()) force_isa(options->isa);
      report_onnx(verify_onnx(*onnx), *json);
      return;
    }
    const std::string in_use = current_isa();
    const Verification found = verify(*options);
    if (*json) {
      print_json(found, in_use);
    } else {
      print_text(found, in_use);
    }
    if (!found.ok()) throw ExitCode{1};
  });
}

}  // namespace norma::cli
